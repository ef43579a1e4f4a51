import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { makeFifo } from '@a3s-box/native';
import type { InheritedHandout } from './handout.js';

/**
 * How the host learns that the guest's agent listens, without asking again and again: the guest connects to a vsock port once
 * (guest-init/proto/README.md).
 */
export interface Announcement {
  /** Resolves when the guest listens; may resolve when the VMM has ended. Never rejects; stays pending after {@link close}. */
  readonly made: Promise<void>;
  /** Stops waiting. Idempotent. */
  close(): void;
}

/**
 * Upon the guest's connection the launcher closes its end of a named pipe. A pipe without a writer says so to whoever looks
 * later, too. The end of the VMM looks the same.
 */
export class PipeAnnouncement implements Announcement {
  readonly made: Promise<void>;
  readonly #socket: Socket | undefined;

  private constructor(reader: number, writerCame: boolean) {
    if (!writerCame && isOver(reader)) {
      closeSync(reader);
      this.made = Promise.resolve();
      return;
    }
    const made = Promise.withResolvers<void>();
    this.made = made.promise;
    this.#socket = new Socket({ fd: reader, readable: true, writable: false });
    this.#socket.on('error', () => undefined);
    this.#socket.on('end', () => made.resolve());
    this.#socket.resume();
  }

  /** Makes the pipe. @returns the announcement, and the name of the VMM's end */
  static create(directory: string, handout: InheritedHandout): { announcement: PipeAnnouncement; writer: string } {
    const pipe = pipeOf(directory);
    makeFifo(pipe);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = handout.name(handout.table.open(pipe, constants.O_WRONLY | constants.O_NONBLOCK));
    return { announcement: new PipeAnnouncement(reader, true), writer };
  }

  /** Looks at the pipe of a VMM that runs. */
  static resume(directory: string): PipeAnnouncement {
    return new PipeAnnouncement(openSync(pipeOf(directory), constants.O_RDONLY | constants.O_NONBLOCK), false);
  }

  close(): void {
    this.#socket?.destroy();
  }
}

function pipeOf(directory: string): string {
  return join(directory, 'listening');
}

/** Whether a pipe has no writer (any more). Nothing is ever written to it. */
function isOver(reader: number): boolean {
  try {
    return readSync(reader, Buffer.alloc(1)) === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw error;
  }
}
