import { BoxClient, type StoreProblem } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { imageFsckFlags } from '../commands/image-store.js';
import type { Invocation } from '../invocation.js';
import { ProgressLines } from './progress-lines.js';

/** `image fsck`. */
export async function checkImages({ flags }: Input<typeof imageFsckFlags>, invocation: Invocation): Promise<number> {
  const { stderr, stdout } = process;
  using client = await BoxClient.connect(invocation);
  const outcome = await client.images.check({
    repair: flags.repair,
    // For who waits at a terminal.
    ...(stderr.isTTY && { onProgress: new ProgressLines(stderr, true).show }),
  });
  const { layers, problems, removed } = outcome;
  if (flags.json) {
    stdout.write(`${JSON.stringify(outcome)}\n`);
  } else {
    for (const problem of problems) stdout.write(lineOf(problem));
    for (const image of removed) stdout.write(`Removed: ${image}; pull or load it again\n`);
    const found = problems.length === 0 ? 'nothing is damaged' : counted(problems.length, 'problem');
    stdout.write(`${counted(layers, 'layer')} verified: ${found}\n`);
  }
  return problems.every(({ repaired }) => repaired) ? 0 : 1;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function lineOf({ kind, digest, reason, images, repaired }: StoreProblem): string {
  const what = digest === '' ? kind : `${kind} ${digest}`;
  const whose = images.length === 0 ? '' : `; needed by ${images.join(', ')}`;
  return `${repaired ? 'Taken away' : 'Damaged'}: ${what}: ${reason}${whose}\n`;
}
