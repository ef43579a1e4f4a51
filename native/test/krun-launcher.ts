import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { krunLauncherPath, type KrunDocument, type KrunStatus } from '../dist/index.js';

/** One call as the recording libkrun writes it down. */
export interface RecordedCall {
  readonly call: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly result?: number;
}

export interface Start {
  readonly environment?: Readonly<Record<string, string>>;
  /** Descriptors that the launcher inherits, from 5 on. */
  readonly descriptors?: readonly number[];
  /** Starts it as who runs the test. */
  readonly asRoot?: boolean;
}

export interface RunningLauncher {
  readonly child: ChildProcess;
  /** Resolves with the lines of the status descriptor once it has closed. */
  readonly status: Promise<KrunStatus[]>;
  readonly stderr: Promise<string>;
}

/** A directory with the launcher, the files of a machine, and a log of the calls. */
export class LauncherFixture {
  readonly directory: string;
  readonly #launcher: string;

  constructor() {
    // Not in the run's own directory: another user must reach it.
    this.directory = mkdtempSync('/tmp/krun-');
    chmodSync(this.directory, 0o777);
    this.#launcher = join(this.directory, 'a3s-box-krun');
    copyFileSync(krunLauncherPath() ?? '', this.#launcher);
    for (const name of ['kernel', 'initramfs', 'root', 'scratch']) {
      // The recording libkrun looks whether a kernel is an ELF file.
      writeFileSync(this.path(name), name === 'kernel' ? '\x7fELF' : name);
      chmodSync(this.path(name), 0o666);
    }
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** A machine whose files are all there. */
  document(library: string): KrunDocument {
    return {
      version: 1,
      library,
      logLevel: 'error',
      machine: { vcpus: 2, memoryMiB: 256, nested: false },
      kernel: { path: this.path('kernel'), format: 'elf', initramfs: this.path('initramfs'), commandLine: 'quiet' },
      disks: [
        { id: 'root', path: this.path('root'), format: 'raw', readOnly: true, sync: 'full' },
        { id: 'scratch', path: this.path('scratch'), format: 'vmdk', readOnly: false, sync: 'none' },
      ],
      vsock: { tsi: null, ports: [{ port: 1024, path: this.path('agent.sock'), listen: true }] },
      network: null,
      shares: [],
      console: this.path('console'),
      descriptors: [],
    };
  }

  start(document: KrunDocument | string | Buffer, { environment, descriptors, asRoot }: Start = {}): RunningLauncher {
    const user =
      process.getuid?.() === 0 && asRoot !== true
        ? ['/usr/bin/setpriv', '--reuid=12345', '--regid=12345', '--clear-groups', '--inh-caps=-all']
        : [];
    // libkrun, as its recording, makes the socket itself and refuses one that is there.
    rmSync(this.path('agent.sock'), { force: true });
    const command = [...user, this.#launcher, '3', '4'];
    const child = spawn(command[0] ?? '', command.slice(1), {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', ...(descriptors ?? [])],
      env: { A3S_RECORDING_LIBKRUN_LOG: this.path('log'), ...environment },
    });
    const input = child.stdio[3] as Writable;
    input.on('error', () => {}); // A launcher that refuses before it has read all.
    input.end(typeof document === 'string' || Buffer.isBuffer(document) ? document : JSON.stringify(document));
    const read = async (stream: Readable): Promise<string> => (await stream.toArray()).join('');
    const lines = read(child.stdio[4] as Readable).then((text) => text.split('\n').slice(0, -1));
    return {
      child,
      status: lines.then((all) => all.map((line) => JSON.parse(line) as KrunStatus)),
      stderr: read(child.stderr as Readable),
    };
  }

  /** Runs a launcher that ends by itself. */
  async run(
    document: KrunDocument | string | Buffer,
    start: Start = {},
  ): Promise<{ status: KrunStatus[]; stderr: string; code: number | null }> {
    const { child, status, stderr } = this.start(document, start);
    const [lines, text] = await Promise.all([status, stderr, once(child, 'close')]);
    return { status: lines, stderr: text, code: child.exitCode };
  }

  /** The calls since the last time. */
  calls(): RecordedCall[] {
    const log = this.path('log');
    const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
    rmSync(log);
    return lines.map((line) => JSON.parse(line) as RecordedCall);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}
