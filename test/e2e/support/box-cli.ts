/** The a3s-box command as a user runs it, in a home of the test's own with the starter image in it. */
import { spawn } from 'node:child_process';
import { on } from 'node:events';
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { BoxClient } from '@a3s-box/core/client';
import { filledHome } from '../../support/filled-home.ts';
import { isInKvmHost } from '../../support/host-seed.ts';
import { processGone } from './process-gone.ts';
import type { TempHome } from '../../support/temp-home.ts';

const root = join(import.meta.dirname, '../../..');
export const BIN = join(root, 'cli/bin/a3s-box');

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: Buffer | string;
  readonly env?: Readonly<Record<string, string>>;
  /** Is given the child when it runs, for example to send it a signal. */
  readonly started?: (child: ReturnType<typeof spawn>) => void;
}

export class BoxCli implements AsyncDisposable {
  readonly #home: TempHome;

  private constructor(home: TempHome) {
    this.#home = home;
  }

  static async create(): Promise<BoxCli> {
    return new BoxCli(await filledHome(stopSupervisor));
  }

  get home(): string {
    return this.#home.path;
  }

  /** Runs one command to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const env = { ...process.env, A3S_BOX_HOME: this.home, ...options.env };
      const child = spawn(BIN, args, { env, stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      child.stdout?.on('data', (piece: Buffer) => stdout.push(piece));
      child.stderr?.on('data', (piece: Buffer) => stderr.push(piece));
      child.on('error', reject);
      child.on('close', (code, signal) =>
        resolve({ code, signal, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
      );
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.stdin);
      options.started?.(child);
    });
  }

  /** Ends the supervisor and removes the home; of a home that is shared only the boxes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!isInKvmHost()) await stopSupervisor(this.home);
    await this.#home[Symbol.asyncDispose]();
  }
}

/** Ends the boxes and the supervisor of a home, if it has one, and waits until it is gone: till then it may still write. */
export async function stopSupervisor(home: string): Promise<void> {
  const run = join(home, 'run');
  if (!existsSync(join(run, 'supervisor.sock'))) return;
  const watcher = watch(run);
  const changes = on(watcher, 'change');
  const client = await BoxClient.connect({ home });
  for (const { id } of await client.list({ all: true })) await client.remove(id, { force: true });
  await client.stopSupervisor();
  client.close();
  while (existsSync(join(run, 'supervisor.sock'))) await changes.next();
  watcher.close();
  await processGone(client.supervisor.pid);
}
