import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { commitFlags } from '../commands/commit.js';
import type { Invocation } from '../invocation.js';
import { nameOf } from './each-box.js';
import { Interruption } from './interruption.js';

/** `commit`. */
export async function commitBox(
  { flags, args: [box = '', name] }: Input<typeof commitFlags>,
  invocation: Invocation,
): Promise<number> {
  const { author, message, change: changes, pause } = flags;
  using interruption = new Interruption();
  const id = await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    return await client.files.commit(nameOf(box), {
      changes,
      pause,
      signal,
      ...(name !== undefined && { name }),
      ...(author !== undefined && { author }),
      ...(message !== undefined && { message }),
    });
  });
  process.stdout.write(`${id}\n`);
  return 0;
}
