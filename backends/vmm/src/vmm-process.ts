import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { BoxError, type ProcessIdentity, type VmExit } from '@a3s-box/core';
import { openProcess, processStartTime, type ProcessHandle } from '@a3s-box/native';
import { readKernelLog } from './kernel-log.js';
import { logTellsMemoryKill, memoryKillCount, vmExit, type ShutdownEvent } from './vm-exit.js';

/** The operating system's side of a VMM: its identity, its end, and the way to end it. */
export interface VmmProcess {
  readonly identity: ProcessIdentity;
  /** Resolves when the process is gone and, as a child, was reaped. Never rejects. */
  readonly gone: Promise<void>;
  /** How it ended; after {@link gone}. @param shutdown the VMM's own word for it, if it came */
  exit(shutdown: ShutdownEvent | undefined): VmExit;
  /** Sends SIGKILL. Idempotent. */
  kill(): void;
  /** Sends another signal; to a process that is gone, none. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** Lets go of the process without touching it. Idempotent. */
  release(): void;
}

/** What is kept of a VMM's stderr, characters. */
const STDERR_LIMIT = 16 * 1024;

/** A VMM that this process started. */
export class ChildVmm implements VmmProcess {
  readonly identity: ProcessIdentity;
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #memoryKills = memoryKillCount();
  #stderr = '';
  #killRequested = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    const pid = child.pid as number;
    // One that has ended and was reaped has none; its start fails in a moment.
    this.identity = { pid, startTime: processStartTime(pid) ?? '' };
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_LIMIT);
    });
    this.gone = new Promise((resolve) => child.once('close', () => resolve()));
  }

  /** Whether it has ended, by itself and with 0. */
  get endedWell(): boolean {
    return this.#child.exitCode === 0;
  }

  get stderr(): string {
    return this.#stderr;
  }

  exit(shutdown: ShutdownEvent | undefined): VmExit {
    return vmExit({
      exitCode: this.#child.exitCode,
      signal: this.#child.signalCode,
      stderr: this.#stderr,
      shutdown,
      killRequested: this.#killRequested,
      killedForMemory: () =>
        memoryKillCount() !== this.#memoryKills && logTellsMemoryKill(readKernelLog(), this.identity.pid),
    });
  }

  kill(): void {
    this.#killRequested = true;
    this.#child.kill('SIGKILL');
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name);
  }

  release(): void {
    this.#child.unref();
    (this.#child.stderr as { unref?: () => void } | null)?.unref?.();
  }
}

/** A VMM that an earlier process started: seen and signalled through a process descriptor. */
export class AdoptedVmm implements VmmProcess {
  readonly gone: Promise<void>;
  readonly #handle: ProcessHandle;
  #killRequested = false;

  /** @throws NOT_FOUND when no process has that id and start time */
  constructor(readonly identity: ProcessIdentity) {
    const handle = openProcess(identity.pid, identity.startTime);
    if (handle === undefined) {
      throw new BoxError('NOT_FOUND', `the VMM with process id ${identity.pid} does not run any more`);
    }
    this.#handle = handle;
    const gone = Promise.withResolvers<void>();
    this.gone = gone.promise;
    handle.watch(() => gone.resolve());
  }

  exit(shutdown: ShutdownEvent | undefined): VmExit {
    if (this.#killRequested) {
      return { kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: true };
    }
    return shutdown?.guest === true ? { kind: 'powered-off' } : { kind: 'unknown' };
  }

  kill(): void {
    this.#killRequested = true;
    this.#handle.signal(constants.signals.SIGKILL);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#handle.signal(constants.signals[name]);
  }

  release(): void {
    this.#handle.close();
  }
}
