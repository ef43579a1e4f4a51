/** Runs the built command line in tests, with a home and a supervisor of its own. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { on, once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const BIN = join(import.meta.dirname, '../../bin/a3s-box');
const FAKE = join(import.meta.dirname, '../../../core/test/client/fake-supervisor-main.ts');

export interface Outcome {
  /** Exit status, or the signal that ended it. */
  readonly status: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly outcome: Promise<Outcome>;
  /** Resolves once stdout holds the text. */
  printed(text: string): Promise<void>;
}

/** A home whose supervisor is the fake one (core/test/client): boxes are processes of the host. */
export class CliHome {
  readonly parent = mkdtempSync(join(tmpdir(), 'a3s-cli-'));
  readonly home = join(this.parent, 'home');
  readonly environment: NodeJS.ProcessEnv;

  constructor(environment: NodeJS.ProcessEnv = {}) {
    const { A3S_BOX_DEBUG: _, ...inherited } = process.env;
    this.environment = { ...inherited, A3S_BOX_HOME: this.home, A3S_BOX_SUPERVISOR: FAKE, ...environment };
  }

  start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Running {
    return this.startProgram(BIN, args, environment);
  }

  async run(args: readonly string[], input?: string | Buffer): Promise<Outcome> {
    const { child, outcome } = this.start(args);
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    return outcome;
  }

  /** A shell script on a terminal of its own; what is written to stdin is typed there. `a3s-box` is in PATH. */
  startOnTerminal(script: string): Running {
    const PATH = `${join(BIN, '..')}:${process.env['PATH']}`;
    return this.startProgram('script', ['-qefc', script, '/dev/null'], { PATH, SHELL: '/bin/sh' });
  }

  startProgram(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}): Running {
    const child = spawn(program, args, { env: { ...this.environment, ...environment }, cwd: this.parent });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data: Buffer) => (stdout += data.toString('latin1')));
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const outcome = once(child, 'close').then(
      ([code, signal]) => ({ status: signal ?? code, stdout, stderr }) as Outcome,
    );
    const printed = async (text: string) => {
      while (!stdout.includes(text)) {
        const data = once(child.stdout, 'data').then(() => false);
        const ended = outcome.then(() => true);
        if ((await Promise.race([data, ended])) && !stdout.includes(text)) {
          throw new Error(`it ended without printing ${JSON.stringify(text)}: ${stdout}${stderr}`);
        }
      }
    };
    return { child, outcome, printed };
  }

  /** Requests that the supervisor got, in their order. */
  requests(method: string): Record<string, unknown>[] {
    if (!existsSync(join(this.home, 'requests.jsonl'))) return [];
    const lines = readFileSync(join(this.home, 'requests.jsonl'), 'utf8').trim().split('\n');
    const all = lines.map((line) => JSON.parse(line) as { method: string; request: Record<string, unknown> });
    return all.filter((entry) => entry.method === method).map(({ request }) => request);
  }

  /** Resolves with the requests once there are so many. */
  async requested(method: string, count = 1): Promise<Record<string, unknown>[]> {
    await this.#changedUntil(() => this.requests(method).length >= count);
    return this.requests(method);
  }

  /** Resolves once a supervisor was started. */
  async started(): Promise<void> {
    await this.#changedUntil(() => existsSync(join(this.home, 'starts')));
  }

  async #changedUntil(reached: () => boolean): Promise<void> {
    const watcher = watch(this.parent, { recursive: true });
    const changes = on(watcher, 'change');
    while (!reached()) await changes.next();
    watcher.close();
  }

  /** The spec that the one box was created with. */
  get spec(): Record<string, unknown> {
    return this.requests('run').at(-1)?.['spec'] as Record<string, unknown>;
  }

  /** Ends the supervisor and takes the home away. */
  close(): void {
    const starts = join(this.home, 'starts');
    for (const pid of existsSync(starts) ? readFileSync(starts, 'utf8').trim().split('\n') : []) {
      try {
        process.kill(Number(pid), 'SIGTERM');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    rmSync(this.parent, { recursive: true, force: true });
  }
}
