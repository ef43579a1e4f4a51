/** Runs the steps of the set-up that are not done yet, with progress and a log for each. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { digestInputs, StampStore } from './stamp.ts';

export interface Step {
  /** Name in progress lines and of the log and the stamp, for example `native`. */
  readonly name: string;
  /** Files and directories, relative to the root, that the result depends on. */
  readonly inputs: readonly string[];
  /** Paths that the step makes, relative to the root. */
  readonly outputs: readonly string[];
  /** Commands, one after another; the first is the program. */
  readonly commands: readonly Command[];
  /** What to do when it fails, one sentence. */
  readonly advice: string;
  /** Whether the result is right already, for example because somebody ran the command by hand. */
  readonly isDone?: () => boolean;
  /** Looks at the result of the commands. @returns what is wrong with it. */
  readonly verify?: () => string | undefined;
  /** The set-up goes on when it fails, which is told all the same, and it is tried again the next time. */
  readonly optional?: boolean;
}

export interface Command {
  readonly argv: readonly string[];
  /** Relative to the root; default the root. */
  readonly cwd?: string;
}

export class StepFailed extends Error {}

export interface StepRunnerOptions {
  readonly root: string;
  /** Milliseconds since the epoch: where the elapsed times in progress lines start. */
  readonly started: number;
  readonly print: (line: string) => void;
  /** Milliseconds between the lines that tell that a step is still at work. */
  readonly heartbeatMs?: number;
}

export class StepRunner {
  /** Names of the optional steps that failed. */
  readonly leftOut = new Set<string>();
  readonly #options: StepRunnerOptions;
  readonly #stamps: StampStore;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
    this.#stamps = new StampStore(options.root);
  }

  /**
   * Runs a step unless it is done. @returns whether it ran. @throws StepFailed after printing log and advice, unless the
   * step is optional
   */
  async run(step: Step): Promise<boolean> {
    try {
      return await this.#run(step);
    } catch (error) {
      if (step.optional !== true || !(error instanceof StepFailed)) throw error;
      this.leftOut.add(step.name);
      return true;
    }
  }

  async #run(step: Step): Promise<boolean> {
    const { root } = this.#options;
    const digest = digestInputs(root, step.inputs, JSON.stringify([process.version, process.arch, step.commands]));
    if (this.#stamps.isCurrent(step.name, digest)) return false;
    if (step.isDone?.() !== true) {
      this.#stamps.clear(step.name);
      const begin = Date.now();
      this.say(`${step.name}: started`);
      await this.#runCommands(step);
      this.say(`${step.name}: done in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
    }
    this.#stamps.set(step.name, digest, step.outputs);
    return true;
  }

  /**
   * Runs chains of steps side by side, the steps of a chain one after another; a failed step ends its chain.
   * @returns whether any step ran. @throws StepFailed for the first failed step, when all chains have ended.
   */
  async runChains(...chains: readonly (readonly Step[])[]): Promise<boolean> {
    const runChain = async (steps: readonly Step[]): Promise<boolean> => {
      let ran = false;
      for (const step of steps) ran = (await this.run(step)) || ran;
      return ran;
    };
    const results = await Promise.allSettled(chains.map(runChain));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return results.some((result) => result.status === 'fulfilled' && result.value);
  }

  say(line: string): void {
    const seconds = Math.floor((Date.now() - this.#options.started) / 1000);
    this.#options.print(`[${String(seconds).padStart(3)}s] ${line}`);
  }

  async #runCommands(step: Step): Promise<void> {
    const log = join(this.#options.root, '.cache/setup', `${step.name}.log`);
    const fd = this.#openLog(step, log);
    const heartbeat = setInterval(() => {
      const last = logTail(log, 10).findLast((line) => line.trim() !== '' && !/warn/i.test(line)) ?? '';
      this.say(`${step.name}: at work${last === '' ? '' : `; ${last.trim().slice(0, 90)}`}`);
    }, this.#options.heartbeatMs ?? 10_000);
    try {
      for (const command of step.commands) {
        const failure = await this.#spawn(command, fd);
        if (failure !== undefined) this.#fail(step, failure, log);
      }
      const wrong = step.verify?.();
      if (wrong !== undefined) this.#fail(step, wrong, log);
    } finally {
      clearInterval(heartbeat);
      closeSync(fd);
    }
  }

  #openLog(step: Step, log: string): number {
    try {
      mkdirSync(dirname(log), { recursive: true });
      return openSync(log, 'w');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
      this.say(`${step.name}: cannot write ${log}`);
      this.#options.print(`       It belongs to somebody else; run: sudo chown -R "$(id -un)" '${this.#options.root}'`);
      throw new StepFailed(`${step.name}: ${(error as Error).message}`);
    }
  }

  #fail(step: Step, failure: string, log: string): never {
    this.say(`${step.name}: failed: ${failure}; the end of its log:`);
    for (const line of logTail(log, 30)) this.#options.print(`       | ${line}`);
    this.#options.print(`       whole log: ${log}`);
    this.#options.print(`       ${step.advice}`);
    throw new StepFailed(`${step.name}: ${failure}`);
  }

  #spawn(command: Command, log: number): Promise<string | undefined> {
    const [program = '', ...args] = command.argv;
    const cwd = join(this.#options.root, command.cwd ?? '.');
    const child = spawn(program, args, { cwd, stdio: ['ignore', log, log] });
    return new Promise((resolve) => {
      child.on('error', (error) => resolve(`${command.argv.join(' ')}: ${error.message}`));
      child.on('exit', (code, signal) =>
        resolve(code === 0 ? undefined : `\`${command.argv.join(' ')}\` ended with ${signal ?? `status ${code}`}`),
      );
    });
  }
}

function logTail(file: string, lines: number): string[] {
  const text = readFileSync(file, 'utf8').trimEnd();
  return text.split(/\r\n|\r|\n/).slice(-lines);
}
