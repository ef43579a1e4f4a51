/** A home on a small disk of its own, with what can be broken of it from outside. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { BoxClient } from '@a3s-box/core/client';
import type { ProcessIdentity } from '@a3s-box/core';
import { findLeaks, RUN_MARKER, type Leak } from '../support/leaks.ts';
import { BIN } from '../e2e/support/box-cli.ts';
import { processGone } from '../e2e/support/process-gone.ts';
import { SdkHome } from '../e2e/support/sdk-home.ts';

const MIB = 2 ** 20;
const DISK_MIB = 6144;
/** No command may take longer, milliseconds: what does hangs. */
const COMMAND_LIMIT_MS = 900_000;

export interface CommandOutcome {
  /** Null when it was killed. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

export class SoakHome implements AsyncDisposable {
  readonly #image: string;
  readonly #home: SdkHome;
  readonly #marker = `soak-${process.pid}`;

  private constructor(image: string, home: SdkHome) {
    this.#image = image;
    this.#home = home;
  }

  /** Needs root, for the disk. */
  static async create(): Promise<SoakHome> {
    const image = join(mkdtempSync(join(tmpdir(), 'soak')), 'disk.img');
    writeFileSync(image, '');
    truncateSync(image, DISK_MIB * MIB);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image]);
    const home = await SdkHome.create((path) => {
      execFileSync('mount', ['-o', 'loop', image, path]);
      chmodSync(path, 0o700);
      rmSync(join(path, 'lost+found'), { recursive: true });
    });
    return new SoakHome(image, home);
  }

  get path(): string {
    return this.#home.path;
  }

  /** Runs one command to its end. @param started is given the child, to do something to it */
  run(args: readonly string[], started?: (kill: () => void) => void): Promise<CommandOutcome> {
    const begin = performance.now();
    const env = { ...process.env, A3S_BOX_HOME: this.path, [RUN_MARKER]: this.#marker };
    return new Promise((resolve, reject) => {
      const child = spawn(BIN, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
      const kill = (): void => void child.kill('SIGKILL');
      const limit = setTimeout(() => {
        kill();
        reject(new Error(`a3s-box ${args.join(' ')} has not ended after ${COMMAND_LIMIT_MS / 1000} s`));
      }, COMMAND_LIMIT_MS);
      const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
      child.stdout.on('data', (piece: Buffer) => stdout.push(piece));
      child.stderr.on('data', (piece: Buffer) => stderr.push(piece));
      child.once('error', reject);
      child.once('close', (code) => {
        clearTimeout(limit);
        const text = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
        resolve({ code, ...text, durationMs: performance.now() - begin });
      });
      started?.(kill);
    });
  }

  /** Connects to the supervisor; starts one where none runs. The caller closes it. */
  connect(): Promise<BoxClient> {
    return this.#home.connect();
  }

  /** @returns what was killed */
  async killSupervisor(): Promise<string> {
    const path = join(this.path, 'run/supervisor.pid');
    const [pid = 0] = existsSync(path) ? readFileSync(path, 'utf8').split(' ').map(Number) : [];
    if (pid === 0 || !isAlive(pid)) return 'no supervisor';
    process.kill(pid, 'SIGKILL');
    await processGone(pid);
    return `supervisor ${pid}`;
  }

  /** Kills the VMM of a box; where it has none, those that help out. @returns what was killed */
  async killVmm(box: string): Promise<string> {
    const victims = this.#vmms(box);
    for (const pid of victims) process.kill(pid, 'SIGKILL');
    for (const pid of victims) await processGone(pid);
    return victims.length > 0 ? `VMM ${victims.join(', ')}` : 'no VMM';
  }

  /** Takes all room of the home's disk. @returns gives it back */
  fillDisk(): () => void {
    const path = join(this.path, 'ballast');
    const { bavail, bsize } = statfsSync(this.path);
    try {
      execFileSync('fallocate', ['-l', String(bavail * bsize), path], { stdio: 'ignore' });
    } catch {
      // It takes what there is and fails for the rest.
    }
    const rest = openSync(path, 'a');
    try {
      for (;;) writeSync(rest, Buffer.alloc(4096));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(rest);
    }
    return () => rmSync(path, { force: true });
  }

  /** Fails unless nothing of any box is left beside what the supervisor keeps ready. */
  assertNoBoxes(): Promise<void> {
    return this.#home.assertEmpty();
  }

  /** Ends the supervisor and tells of all that is left then. */
  async leftWithoutSupervisor(): Promise<string[]> {
    await this.stopSupervisor();
    const scope = {
      directory: this.path,
      marker: this.#marker,
      ignorePids: new Set<number>(),
      tapsBefore: new Set<string>(),
    };
    const told = (leak: Leak): string => `${leak.kind}: ${leak.what}`;
    return [
      ...findLeaks(scope)
        .filter(({ kind }) => kind !== 'file')
        .map(told),
      ...this.#rows('SELECT box, kind, resource FROM ledger').map((row) => `ledger: ${JSON.stringify(row)}`),
      ...this.#storeRows(),
    ];
  }

  /** Names of the blobs and layers of images, of volumes and of snapshots. */
  storedFiles(): string[] {
    const store = 'plugins/@a3s-box+images-oci';
    const directories = [`${store}/blobs/sha256`, `${store}/layers/sha256`, `${store}/work`, 'volumes', 'snapshots'];
    const found = directories.flatMap((directory) =>
      namesIn(join(this.path, directory)).map((name) => join(directory, name)),
    );
    return found.sort();
  }

  async stopSupervisor(): Promise<void> {
    const client = await this.connect();
    await this.#home.stopSupervisor(client);
  }

  /** The end of the supervisor's log. */
  log(): string {
    const path = join(this.path, 'supervisor.log');
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(-60).join('\n') : 'there is none';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(join(this.path, 'ballast'), { force: true });
    await this.#home.end();
    // Lazily: the kernel lets go of files some time after the end of their VMM.
    await promisify(execFile)('umount', ['--lazy', this.path]);
    await this.#home[Symbol.asyncDispose]();
    rmSync(join(this.#image, '..'), { recursive: true });
  }

  #vmms(box: string): number[] {
    if (!existsSync(join(this.path, 'state.db'))) return [];
    const spare = "SELECT box FROM ledger WHERE kind = 'spare'";
    const rows = this.#rows(`SELECT box, resource FROM ledger WHERE kind = 'vmm' AND box NOT IN (${spare})`);
    const boxes = rows.filter((row) => !String(row['box']).startsWith('template:'));
    const id = this.#rows('SELECT id FROM boxes WHERE name = ?', box)[0]?.['id'];
    const own = boxes.filter((row) => row['box'] === id);
    const pids = (own.length > 0 ? own : boxes).map(
      (row) => (JSON.parse(String(row['resource'])) as { process: ProcessIdentity }).process.pid,
    );
    return pids.filter(isAlive);
  }

  #rows(sql: string, ...values: string[]): Record<string, unknown>[] {
    using database = new DatabaseSync(join(this.path, 'state.db'), { readOnly: true });
    return database.prepare(sql).all(...values);
  }

  /** What the image store is still working on. */
  #storeRows(): string[] {
    const path = join(this.path, 'plugins/@a3s-box+images-oci/catalog.db');
    using database = new DatabaseSync(path, { readOnly: true });
    return database
      .prepare('SELECT * FROM holders')
      .all()
      .map((row) => `image store: ${JSON.stringify(row)}`);
  }
}

function namesIn(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
