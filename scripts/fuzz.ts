/** Fuzzes for longer than `npm test` does. `npm run fuzz -- [--seconds N] [--out FILE] [TARGET...]`; see USAGE. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepareCTarget } from './fuzz/c-target.ts';
import { ensureFuzzerAddon } from './fuzz/fuzzer-addon.ts';
import { prepareNodeTarget } from './fuzz/node-target.ts';
import { runTarget, type FuzzRecord } from './fuzz/run-target.ts';
import { buildRustTargets, prepareRustTarget } from './fuzz/rust-target.ts';
import { CARGO_MISSING, fuzzTargets } from './fuzz/targets.ts';
import { killAllChildren } from './test/child.ts';

const root = join(import.meta.dirname, '..');
const targets = fuzzTargets(root);
const USAGE = `usage: npm run fuzz -- [--seconds N] [--out FILE] [TARGET...]

  TARGET      ${targets.map(({ name }) => name).join(', ')}; default all, one after the other
  --seconds   for each target; default 60
  --out       file for the records, JSON; they are printed too

The corpus of each target is kept in .cache/fuzz and grows with each run; findings are kept there too.`;

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '60' }, out: { type: 'string' }, help: { type: 'boolean' } },
  });
  const seconds = Number(values.seconds);
  const unknown = positionals.find((word) => !targets.some(({ name }) => name === word));
  if (values.help === true || unknown !== undefined || !Number.isInteger(seconds) || seconds < 1) {
    console.error(unknown === undefined ? USAGE : `no target ${unknown}\n\n${USAGE}`);
    return values.help === true ? 0 : 2;
  }
  if (spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status !== 0) {
    console.error(CARGO_MISSING);
    return 1;
  }
  const chosen = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const { signal } = new AbortController();
  if (chosen.some(({ kind }) => kind === 'node')) await ensureFuzzerAddon(root);
  if (chosen.some(({ kind }) => kind === 'rust')) await buildRustTargets(root, signal);
  const records: FuzzRecord[] = [];
  for (const target of chosen) {
    const prepared =
      target.kind === 'node'
        ? await prepareNodeTarget(root, target)
        : target.kind === 'c'
          ? await prepareCTarget(root, target, signal)
          : prepareRustTarget(root, target);
    const record = await runTarget(prepared, { root, seconds, signal });
    records.push(record);
    console.log(JSON.stringify(record));
    if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(records, null, 2)}\n`);
  }
  return records.every(({ findings }) => findings.length === 0) ? 0 : 1;
}

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    killAllChildren();
    process.exit(130);
  });
}
process.exitCode = await main(process.argv.slice(2));
