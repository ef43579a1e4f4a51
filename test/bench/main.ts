/**
 * Runs benchmarks: `npm run bench -- [NAME ...] [--out FILE]`. Prints the figures without their samples and writes all of
 * them as JSON.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const available = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.ts') && name !== 'main.ts')
  .map((name) => name.slice(0, -3));
const { values, positionals } = parseArgs({ options: { out: { type: 'string' } }, allowPositionals: true });
const unknown = positionals.filter((name) => !available.includes(name));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are: ${available.join(', ')}`);
  process.exit(2);
}

const results: Record<string, unknown> = {
  machine: { cpus: cpus().map((cpu) => cpu.model), memoryBytes: totalmem(), kernel: release(), node: process.version },
  commit: execFileSync('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim(),
  date: new Date().toISOString(),
};
for (const name of positionals.length > 0 ? positionals : available) {
  console.error(`${name} ...`);
  const module = (await import(`./${name}.ts`)) as { run: () => Promise<unknown> };
  results[name] = await module.run();
  console.log(
    name,
    JSON.stringify(results[name], (key, value: unknown) => (key === 'samples' ? undefined : value), 2),
  );
}
const out = values.out ?? join(process.cwd(), 'bench.json');
writeFileSync(out, `${JSON.stringify(results, null, 1)}\n`);
console.error(`all figures: ${out}`);
