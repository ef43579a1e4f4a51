import { BoxClient, type BoxStats } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { statsFlags } from '../commands/stats.js';
import { ListFormat } from '../format/list-format.js';
import type { Invocation } from '../invocation.js';
import { STATS_COLUMNS, STATS_HEADERS, statsRow } from '../views/stats-row.js';
import { nameOf } from './each-box.js';
import { Interruption } from './interruption.js';

const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** `stats`. */
export async function showStats({ flags, args }: Input<typeof statsFlags>, invocation: Invocation): Promise<number> {
  const print = new ListFormat(flags.format ?? '', { columns: STATS_COLUMNS, headers: STATS_HEADERS });
  const boxes = args.map(nameOf);
  const once = flags['no-stream'];
  const text = (sample: readonly BoxStats[]) =>
    print.print(sample.map((one) => statsRow(one, { short: !flags['no-trunc'], named: boxes })));
  using interruption = new Interruption();
  return await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    let samples = 0;
    for await (const sample of client.watching.stats({ boxes, all: flags.all, signal })) {
      // What the CPU does shows between two samples.
      const isFirst = samples++ === 0;
      if (once && isFirst && sample.some(({ usage }) => usage)) continue;
      if (!isFirst || once || process.stdout.isTTY) process.stdout.write(once ? text(sample) : onScreen(text(sample)));
      if (once) break;
    }
    return 0;
  });
}

/** Over what was there before, on a terminal. */
function onScreen(lines: string): string {
  if (!process.stdout.isTTY) return lines;
  return HOME + lines.replaceAll('\n', `${CLEAR_LINE}\n`) + CLEAR_BELOW;
}
