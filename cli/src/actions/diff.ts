import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import { escapeControls } from '../escape-controls.js';
import type { Invocation } from '../invocation.js';
import { nameOf } from './each-box.js';
import { Interruption } from './interruption.js';

const LETTERS = { added: 'A', modified: 'C', deleted: 'D' } as const;

/** A path in a line of its own. */
function oneLine(path: string): string {
  return escapeControls(path).replaceAll('\n', '\\u000a');
}

/** `diff`. */
export async function listDifferences(
  { args: [box = ''] }: Input<Record<never, never>>,
  invocation: Invocation,
): Promise<number> {
  using interruption = new Interruption();
  const differences = await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    return await client.files.diff(nameOf(box), { signal });
  });
  process.stdout.write(differences.map(({ kind, path }) => `${LETTERS[kind]} ${oneLine(path)}\n`).join(''));
  return 0;
}
