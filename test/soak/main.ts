/** Runs the endurance tests: see USAGE. Needs root. */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { runCycles } from './cycles.ts';
import { flood, orphans, outOfMemory, parallelExecs } from './guest-loads.ts';
import { npmOnBind } from './npm-install.ts';
import { SoakHome } from './soak-home.ts';

const USAGE = `npm run soak -- [--cycles N | --duration T] [--seed S [--from N]] [--only PART ...]
  --cycles N     how many lives of boxes with faults (default 200)
  --duration T   how long instead, for example 90s, 20m, 2h
  --seed S       a run's number: the same one draws the same cycles and faults
  --from N       number of the first cycle (default 0)
  --only PART    one of the parts: cycles, orphans (10,000), log (1 GB), memory, execs (50 at once),
                 npm (on a bind); default: all`;
const UNITS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

const { values } = parseArgs({
  options: {
    cycles: { type: 'string' },
    duration: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string', default: '0' },
    only: { type: 'string', multiple: true },
  },
});

function fail(message: string): never {
  console.error(`${message}\n\n${USAGE}`);
  process.exit(2);
}

function durationOf(text: string): number {
  const match = /^(\d+)([smh])$/.exec(text);
  if (!match) return fail(`--duration ${text} is no duration`);
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
}

function countOf(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) return fail(`--${option} ${text} is no number`);
  return Number(text);
}

if (values.cycles !== undefined && values.duration !== undefined) fail('--cycles and --duration exclude each other');
if (process.getuid?.() !== 0) fail('the home is a disk of its own, which only root can mount');
const seed = values.seed === undefined ? randomInt(1_000_000) : countOf('seed', values.seed);
const first = countOf('from', values.from);
const cycles = values.duration === undefined ? countOf('cycles', values.cycles ?? '200') : Infinity;
const durationMs = values.duration === undefined ? Infinity : durationOf(values.duration);

const parts: Readonly<Record<string, (home: SoakHome) => Promise<unknown>>> = {
  cycles: (home) => {
    const end = Date.now() + durationMs;
    const goesOn = (done: number): boolean => !told && done < cycles && Date.now() < end;
    return runCycles(home, { seed, first, goesOn, say: (line) => console.log(line) });
  },
  orphans: async (home) => {
    const run = home.run.bind(home);
    return [await orphans(run, { count: 10_000, init: false }), await orphans(run, { count: 10_000, init: true })];
  },
  log: (home) => flood(home.run.bind(home), { lines: 1_000_000, fileMegabytes: 10, files: 3 }),
  memory: async (home) => {
    const run = home.run.bind(home);
    return [await outOfMemory(run, { init: false }), await outOfMemory(run, { init: true })];
  },
  execs: (home) => parallelExecs(home.run.bind(home), { count: 50 }),
  npm: (home) => npmOnBind(home.run.bind(home)),
};
const names = values.only ?? Object.keys(parts);
const unknown = names.filter((name) => !(name in parts));
if (unknown.length > 0) fail(`there is no part ${unknown.join(', ')}`);

let told = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    told = true;
    console.error('told to end: after this cycle, or this part');
  });
}
console.log(`seed ${seed}`);
const home = await SoakHome.create();
try {
  for (const name of names) {
    if (!told) console.log(name, JSON.stringify(await parts[name]!(home), null, 1));
  }
} catch (error) {
  console.error(error);
  console.error(`the supervisor's log ends with:\n${home.log()}`);
  process.exitCode = 1;
}
await home[Symbol.asyncDispose]();
