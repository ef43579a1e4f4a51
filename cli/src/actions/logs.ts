import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { logsFlags } from '../commands/logs.js';
import type { Invocation } from '../invocation.js';
import { eachBox } from './each-box.js';
import { Interruption } from './interruption.js';
import { logDetails } from './log-details.js';
import { LogPrinter } from './log-printer.js';

/** `logs`. */
export async function printLogs({ flags, args }: Input<typeof logsFlags>, invocation: Invocation): Promise<number> {
  const { follow, tail, since, until, timestamps } = flags;
  using interruption = new Interruption();
  return await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    return await eachBox(args, async (box) => {
      const prefix = flags.details ? `${logDetails((await client.inspect(box, { signal })).spec)} ` : '';
      const records = client.logs(box, {
        follow,
        signal,
        ...(typeof tail === 'number' && { tail }),
        ...(since !== undefined && { sinceNs: since }),
        ...(until !== undefined && { untilNs: until }),
      });
      await new LogPrinter(process, { timestamps, prefix }).print(records);
      return '';
    });
  });
}
