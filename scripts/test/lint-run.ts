/** The lint lane: scripts/lint.ts as one counted check. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ended, killOnAbort, startChild } from './child.ts';
import type { Results } from './results.ts';

export async function runLint(root: string, results: Results, signal: AbortSignal): Promise<void> {
  const base = { lane: 'lint', file: 'scripts/lint.ts', title: 'layers, types, style and formatting' };
  if (!existsSync(join(root, base.file))) {
    results.add({ ...base, outcome: 'failed', durationMs: 0, detail: `${base.file} is missing` });
    return;
  }
  const begin = Date.now();
  const child = startChild(process.execPath, [base.file], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  using _ = killOnAbort(child, signal);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const failure = await ended(child);
  const durationMs = Date.now() - begin;
  if (failure === undefined) results.add({ ...base, outcome: 'passed', durationMs });
  else results.add({ ...base, outcome: 'failed', durationMs, detail: `ended with ${failure}\n${output}` });
}
