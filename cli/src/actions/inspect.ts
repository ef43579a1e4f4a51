import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { inspectFlags } from '../commands/inspect.js';
import { jsonOf } from '../format/go-values.js';
import { objectFormat } from '../format/object-format.js';
import type { Invocation } from '../invocation.js';
import { boxDetails } from '../views/box-details.js';
import { eachBox } from './each-box.js';
import { mountpointsOf } from './mountpoints.js';

/** Docker's. */
const INDENT = 4;

/** `inspect`: what is there of it, and the failures. */
export async function inspectBoxes(
  { flags, args }: Input<typeof inspectFlags>,
  invocation: Invocation,
): Promise<number> {
  const print = flags.format === undefined ? undefined : objectFormat(flags.format);
  using client = await BoxClient.connect(invocation);
  const found = new Map<string, object>();
  const status = await eachBox(args, async (box) => {
    const record = await client.inspect(box);
    const details = boxDetails(record, await mountpointsOf(client, record.spec));
    if (print) return print(details);
    found.set(box, details);
    return '';
  });
  if (!print)
    process.stdout.write(
      `${jsonOf(
        args.flatMap((box) => found.get(box) ?? []),
        INDENT,
      )}\n`,
    );
  return status;
}
