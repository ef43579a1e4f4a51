/** A home with the starter image, used through the SDK, and what it may not leave behind. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { BoxClient, type BoxSpec } from '@a3s-box/core/client';
import { filledHome, fillHome } from '../../support/filled-home.ts';
import { backendOfTests, isInKvmHost } from '../../support/host-seed.ts';
import { tempHome, type TempHome } from '../../support/temp-home.ts';
import { stopSupervisor } from './box-cli.ts';
import { filesOfBoxes, sparesIn } from './home-files.ts';
import { processGone } from './process-gone.ts';

export { processGone };

const root = join(import.meta.dirname, '../../..');
const SUPERVISOR = join(root, 'cli/dist/supervisor.js');
/** One less than that of this version (core/src/client/protocol-version.ts). */
const OLDER_MINOR = '0';
const VMM = /\/(qemu-system-\w+|a3s-box-krun)$/;
const DYING = join(import.meta.dirname, 'dying-supervisor.ts');

export class SdkHome implements AsyncDisposable {
  readonly #home: TempHome;
  readonly #isShared: boolean;
  readonly #clients: BoxClient[] = [];

  private constructor(home: TempHome, isShared: boolean) {
    this.#home = home;
    this.#isShared = isShared;
  }

  /**
   * @param prepare is given the empty home's path before anything is in it
   * @param templates whether boxes of the usual sizes are clones from the start
   * @returns in the KVM host, if both are left as they are, one that the process's files share
   */
  static async create(prepare?: (path: string) => void, templates = true): Promise<SdkHome> {
    if (isInKvmHost() && prepare === undefined && templates) return new SdkHome(await filledHome(stopSupervisor), true);
    const home = new SdkHome(await tempHome(), false);
    try {
      prepare?.(home.path);
      await fillHome(home.path, templates);
      return home;
    } catch (error) {
      await home[Symbol.asyncDispose]();
      throw error;
    }
  }

  get path(): string {
    return this.#home.path;
  }

  /** Connects; starts a supervisor where none runs. @param args of `dying-supervisor.ts` after the home, for one of those */
  async connect(...args: string[]): Promise<BoxClient> {
    const command =
      args.length === 0
        ? [process.execPath, '--max-semi-space-size=2', SUPERVISOR, '--home', this.path, '--ready-descriptor', '3']
        : [process.execPath, DYING, this.path, ...args];
    const client = await BoxClient.connect({ home: this.path, supervisor: { command } });
    this.#clients.push(client);
    return client;
  }

  /** A box of the starter image that runs a shell script, on the backend of the tests. */
  spec(script: string, change: Partial<BoxSpec> = {}): BoxSpec {
    const backend = backendOfTests();
    return {
      ...(backend !== undefined && { backend }),
      image: 'a3s/starter',
      command: ['sh', '-c', script],
      environment: [],
      terminal: false,
      stdinOpen: false,
      autoRemove: false,
      labels: {},
      memoryBytes: 256 * 2 ** 20,
      ...change,
    };
  }

  /** Ends the supervisor as it is meant to be, and waits for that. */
  async stopSupervisor(client: BoxClient): Promise<void> {
    await client.stopSupervisor();
    client.close();
    await processGone(client.supervisor.pid);
  }

  /** Starts a supervisor that speaks the version before. @returns its process id */
  async startOlder(): Promise<number> {
    const child = spawn(process.execPath, [DYING, this.path, 'never', '0', OLDER_MINOR], {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      detached: true,
    });
    child.unref();
    await once(child.stdio[3] as Readable, 'data');
    return child.pid!;
  }

  /** Kills the supervisor; a next one has not started yet on return. */
  async killSupervisor(client: BoxClient): Promise<void> {
    const { pid } = client.supervisor;
    process.kill(pid, 'SIGKILL');
    client.close();
    await processGone(pid);
  }

  /** Fails unless nothing of any box is left: no process, no file, no record. */
  async assertEmpty(): Promise<void> {
    assert.deepEqual(await filesOfBoxes(this.path), [], 'something of a box is left');
    const spares = sparesIn(this.path);
    const database = new DatabaseSync(join(this.path, 'state.db'), { readOnly: true });
    try {
      assert.deepEqual(database.prepare('SELECT * FROM boxes').all(), [], 'there is a record of a box');
      const rows = database.prepare("SELECT * FROM ledger WHERE box NOT LIKE 'template:%'").all();
      assert.deepEqual(
        rows.filter(({ box }) => !spares.includes(box as string)),
        [],
        'something of a box is in the ledger',
      );
    } finally {
      database.close();
    }
    assert.deepEqual(await this.vmms(), []);
  }

  /** Command lines of the VMMs that run for this home's boxes. */
  async vmms(): Promise<string[]> {
    const spares = sparesIn(this.path);
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      // A process may end between the look at the directory and this one.
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const program = await readlink(`/proc/${pid}/exe`).catch(() => '');
      const [, , name = ''] = line.split('\0');
      const ahead = name.startsWith('template-') || spares.some((id) => id.startsWith(name));
      if (VMM.test(program) && !ahead && (await holdsFileIn(pid, this.path))) found.push(line.replaceAll('\0', ' '));
    }
    return found;
  }

  /** Ends the boxes and the supervisor; of a home that is shared neither. */
  async end(): Promise<void> {
    for (const client of this.#clients) client.close();
    if (this.#isShared) return;
    await stopSupervisor(this.path);
    for (const { supervisor } of this.#clients) await processGone(supervisor.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.#home[Symbol.asyncDispose]();
  }
}

async function holdsFileIn(pid: string, directory: string): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ls', ['-l', `/proc/${pid}/fd`]).catch(() => ({ stdout: '' }));
  return stdout.includes(`${directory}/`);
}
