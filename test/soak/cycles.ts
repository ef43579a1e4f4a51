/** Cycles of a box's life with faults, and what has to hold after each. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { describePlan, planCycle, type CyclePlan, type Fault, type Step } from './plan.ts';
import type { CommandOutcome, SoakHome } from './soak-home.ts';

const FIRST_IMAGE = 'a3s/starter';
const VOLUME = 'shared';
/** How long a box may take to be usable again after a fault, milliseconds. */
const RECOVERY_LIMIT_MS = 90_000;
const RETRY_MS = 250;
/** Cycles between two looks at what is left without a supervisor. */
const DEEP_CHECK_EVERY = 20;
/** Committed images that are kept; each is run before it is removed, and those of the end at the end. */
const KEPT_IMAGES = 12;
/** Layers on each other at most. */
const LONGEST_CHAIN = 6;
/** How a fault of the product's own shows in what a command says. */
const OWN_FAULT = /\b(TypeError|RangeError|ReferenceError|INTERNAL|internal error)\b|\n\s+at .*\.js:\d+/;
/** Ends at once when it is told to. */
const MAIN = "trap 'exit 0' TERM; sleep 100000 & wait";
/** What steps take without a fault, milliseconds; learnt as it goes. */
const FIRST_GUESS_MS: Readonly<Record<Step, number>> = {
  create: 300,
  start: 1000,
  run: 1000,
  exec: 300,
  stop: 500,
  commit: 1500,
  rm: 300,
};

export interface CycleOptions {
  readonly seed: number;
  /** Number of the first cycle. */
  readonly first: number;
  /** Says whether to begin one more. */
  readonly goesOn: (done: number) => boolean;
  readonly say: (line: string) => void;
}

export interface CycleFigures {
  readonly cycles: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Commands that failed after a fault, by what they said. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly images: number;
  readonly deepChecks: number;
}

/** An image that a commit answered for, with what has to be in it. */
interface Committed {
  readonly name: string;
  readonly tokens: readonly string[];
}

export async function runCycles(home: SoakHome, options: CycleOptions): Promise<CycleFigures> {
  const run = new Cycles(home, options);
  let done = 0;
  for (; options.goesOn(done); done++) {
    const plan = planCycle(options.seed, options.first + done);
    try {
      await run.cycle(plan);
      if ((done + 1) % DEEP_CHECK_EVERY === 0) await run.deepCheck();
    } catch (error) {
      throw new Error(`seed ${options.seed}, ${describePlan(plan)}`, { cause: error });
    }
  }
  await run.end();
  return { cycles: done, ...run.figures };
}

class Cycles {
  readonly #home: SoakHome;
  readonly #options: CycleOptions;
  readonly #typicalMs: Record<Step, number> = { ...FIRST_GUESS_MS };
  readonly #images: Committed[] = [];
  readonly #filesBefore: readonly string[];
  /** Lines that the shared volume has. */
  readonly #lines: string[] = [];
  readonly figures = {
    faults: {} as Record<string, number>,
    refusals: {} as Record<string, number>,
    images: 0,
    deepChecks: 0,
  };

  constructor(home: SoakHome, options: CycleOptions) {
    this.#home = home;
    this.#options = options;
    this.#filesBefore = home.storedFiles();
  }

  async cycle(plan: CyclePlan): Promise<void> {
    const begin = performance.now();
    const told: string[] = [];
    const box = new CycleBox(this.#home, plan, this.#base(plan), (outcome) => this.#refused(outcome));
    for (const step of plan.steps) {
      const fault = plan.faults.find((one) => one.step === step);
      if (fault) {
        const what = await this.#stepWithFault(box, step, fault);
        told.push(`${step}: ${what}`);
      } else {
        const ms = await box.reach(step, plan.faults.length === 0);
        this.#typicalMs[step] = Math.round(this.#typicalMs[step] * 0.8 + ms * 0.2);
      }
      if (step === 'commit') {
        this.#images.push({ name: box.image, tokens: box.tokens });
        this.figures.images++;
      }
      if (step === 'exec' && plan.volume) this.#lines.push(box.token);
    }
    await this.#settle(() => this.#home.assertNoBoxes());
    if (plan.volume) await this.#checkVolume();
    if (this.#images.length > KEPT_IMAGES) await this.#retire(this.#images.shift()!);
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    this.#options.say(`${describePlan(plan)}: ${seconds} s${told.length > 0 ? `; ${told.join('; ')}` : ''}`);
  }

  /** Everything that is left when nothing should be. */
  async deepCheck(): Promise<void> {
    this.figures.deepChecks++;
    await this.#settle(async () => assert.deepEqual(await this.#home.leftWithoutSupervisor(), []));
  }

  /** Each image that is there is as it was committed; without them nothing but what there was before is left. */
  async end(): Promise<void> {
    const { stdout } = await this.#must(['images', '--format', '{{.Repository}}']);
    const listed = new Set(stdout.split('\n'));
    const lost = this.#images.filter(({ name }) => !listed.has(name));
    assert.deepEqual(lost, [], 'committed images are not listed');
    for (const image of this.#images.splice(0)) await this.#retire(image);
    // Images that a command made which was killed before it could say so, and which were made once more.
    await this.#must(['system', 'prune', '--force']);
    if (this.#lines.length > 0) await this.#must(['volume', 'rm', VOLUME]);
    await this.#settle(() => this.#home.assertNoBoxes());
    await this.deepCheck();
    assert.deepEqual(this.#home.storedFiles(), this.#filesBefore, 'the home has files that nothing needs');
  }

  #base({ onPrevious }: CyclePlan): Committed {
    const last = this.#images.at(-1);
    return onPrevious && last && last.tokens.length < LONGEST_CHAIN ? last : { name: FIRST_IMAGE, tokens: [] };
  }

  async #stepWithFault(box: CycleBox, step: Step, fault: Fault): Promise<string> {
    this.figures.faults[fault.kind] = (this.figures.faults[fault.kind] ?? 0) + 1;
    const after = delay(fault.at * this.#typicalMs[step]);
    const struck = Promise.withResolvers<string>();
    const attempt = box.attempt(step, (kill) => {
      struck.resolve(after.then(() => this.#strike(box, fault, kill)));
    });
    const [what, outcome] = await Promise.all([struck.promise, attempt]);
    if (outcome.code !== 0) {
      this.#refused(outcome);
      await box.reach(step, false);
    }
    return `${what} after ${Math.round(fault.at * this.#typicalMs[step])} ms, ended with ${outcome.code ?? 'SIGKILL'}`;
  }

  async #strike(box: CycleBox, { kind, holdMs }: Fault, killCommand: () => void): Promise<string> {
    switch (kind) {
      case 'command':
        killCommand();
        return 'command';
      case 'supervisor':
        return this.#home.killSupervisor();
      case 'vmm':
        return this.#home.killVmm(box.name);
      case 'both':
        return `${await this.#home.killSupervisor()}, ${await this.#home.killVmm(box.name)}`;
      case 'disk': {
        const giveBack = this.#home.fillDisk();
        await delay(holdMs);
        giveBack();
        return `disk full for ${holdMs} ms`;
      }
    }
  }

  async #checkVolume(): Promise<void> {
    const { stdout } = await this.#must([
      'run',
      '--rm',
      '-m',
      '256m',
      '-v',
      `${VOLUME}:/data`,
      FIRST_IMAGE,
      'cat',
      '/data/lines',
    ]);
    const found = new Set(stdout.trim().split('\n'));
    assert.deepEqual(
      this.#lines.filter((line) => !found.has(line)),
      [],
      'lines of the volume are lost',
    );
  }

  async #retire({ name, tokens }: Committed): Promise<void> {
    const script = 'cd /soak && sha256sum -c *.sum >/dev/null && cat *.token';
    const { stdout } = await this.#must(['run', '--rm', '-m', '256m', name, 'sh', '-c', script]);
    assert.deepEqual(stdout.trim().split('\n').sort(), [...tokens].sort(), `image ${name} has not what was committed`);
    await this.#must(['rmi', name]);
  }

  async #must(args: readonly string[]): Promise<CommandOutcome> {
    const outcome = await this.#home.run(args);
    assert.equal(outcome.code, 0, `a3s-box ${args.join(' ')}: ${outcome.stderr}`);
    return outcome;
  }

  #refused({ code, stderr }: CommandOutcome): void {
    if (code === null || code === 0) return;
    assert.doesNotMatch(stderr, OWN_FAULT);
    const line = stderr
      .split('\n')[0]!
      .replaceAll(/\bs\d+\b/g, 'sN')
      .replaceAll(/[0-9a-f]{12,}/g, 'ID');
    this.figures.refusals[line] = (this.figures.refusals[line] ?? 0) + 1;
  }

  /** What was ended may still be on its way out. */
  async #settle(check: () => Promise<void>): Promise<void> {
    const end = performance.now() + 20_000;
    for (;;) {
      try {
        return await check();
      } catch (error) {
        if (performance.now() > end) throw error;
      }
      await delay(RETRY_MS);
    }
  }
}

/** The box of one cycle. */
class CycleBox {
  readonly name: string;
  readonly image: string;
  readonly token: string;
  readonly tokens: readonly string[];
  readonly #home: SoakHome;
  readonly #plan: CyclePlan;
  readonly #base: Committed;
  readonly #refused: (outcome: CommandOutcome) => void;

  constructor(home: SoakHome, plan: CyclePlan, base: Committed, refused: (outcome: CommandOutcome) => void) {
    this.#home = home;
    this.#plan = plan;
    this.#base = base;
    this.#refused = refused;
    this.name = `s${plan.number}`;
    this.image = `soak/${this.name}`;
    this.token = `token-${plan.number}`;
    this.tokens = [...base.tokens, this.token];
  }

  attempt(step: Step, started?: (kill: () => void) => void): Promise<CommandOutcome> {
    return this.#home.run(this.#command(step), started);
  }

  /** Does a step, as often as it takes after a fault. @param atOnce whether it has to succeed the first time @returns milliseconds */
  async reach(step: Step, atOnce: boolean): Promise<number> {
    const end = performance.now() + RECOVERY_LIMIT_MS;
    for (;;) {
      if (!atOnce && (step === 'exec' || step === 'commit')) await this.#revive(step, end);
      const outcome = await this.attempt(step);
      if (outcome.code === 0) return outcome.durationMs;
      const state = await this.#state();
      const told = `${this.#command(step).join(' ')}: ${outcome.stderr}(the box is ${state})`;
      if (atOnce) assert.fail(told);
      this.#refused(outcome);
      if (isReached(step, state)) return outcome.durationMs;
      if (performance.now() > end) assert.fail(`not even after ${RECOVERY_LIMIT_MS / 1000} s: ${told}`);
      await delay(RETRY_MS);
    }
  }

  /** Makes the box what a step needs, where a fault has made it something else. */
  async #revive(step: 'exec' | 'commit', end: number): Promise<void> {
    const wanted = step === 'exec' ? ['running'] : ['running', 'exited', 'dead', 'created'];
    for (let state = await this.#state(); !wanted.includes(state); state = await this.#state()) {
      if (performance.now() > end) assert.fail(`box ${this.name} stays ${state}`);
      if (['exited', 'dead', 'created'].includes(state)) this.#refused(await this.attempt('start'));
      else if (state === 'gone') assert.fail(`box ${this.name} is gone`);
      else await delay(RETRY_MS);
    }
  }

  async #state(): Promise<string> {
    const { code, stdout, stderr } = await this.#home.run(['inspect', '--format', '{{.State.Status}}', this.name]);
    if (code === 0) return stdout.trim();
    assert.match(stderr, /no such|there is no/i);
    return 'gone';
  }

  #command(step: Step): readonly string[] {
    const { name, token } = this;
    switch (step) {
      case 'create':
        return ['create', ...this.#boxArguments()];
      case 'run':
        return ['run', '-d', ...this.#boxArguments()];
      case 'exec':
        return ['exec', name, 'sh', '-c', this.#script()];
      case 'commit':
        return ['commit', name, this.image];
      case 'stop':
        return ['stop', '-t', '5', name];
      case 'start':
      case 'rm':
        return [step, name];
      default:
        return assert.fail(`no such step: ${token}`);
    }
  }

  #boxArguments(): readonly string[] {
    const volume = this.#plan.volume ? ['-v', `${VOLUME}:/data`] : [];
    return ['--name', this.name, '-m', '256m', ...volume, this.#base.name, 'sh', '-c', MAIN];
  }

  /** Writes what the image has to have, so that it is on the disk when it answers. */
  #script(): string {
    const file = `/soak/${this.name}`;
    return [
      'set -e',
      'mkdir -p /soak',
      `dd if=/dev/urandom of=${file}.data bs=64k count=8 2>/dev/null`,
      `cd /soak && sha256sum ${this.name}.data >${file}.sum`,
      `echo ${this.token} >${file}.token`,
      ...(this.#plan.volume ? [`echo ${this.token} >>/data/lines`] : []),
      'sync',
    ].join('; ');
  }
}

/** Whether a box is what a step makes of it. */
function isReached(step: Step, state: string): boolean {
  switch (step) {
    case 'create':
      return state !== 'gone';
    case 'run':
    case 'start':
      return state === 'running';
    case 'stop':
      return ['exited', 'dead', 'created'].includes(state);
    case 'rm':
      return state === 'gone';
    case 'exec':
    case 'commit':
      return false;
  }
}
