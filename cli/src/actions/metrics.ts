import { BoxError } from '@a3s-box/core';
import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { systemMetricsFlags } from '../commands/watching.js';
import type { Invocation } from '../invocation.js';

/** `system metrics`. */
export async function changeMetrics(
  { flags: { listen, off } }: Input<typeof systemMetricsFlags>,
  invocation: Invocation,
): Promise<number> {
  if (listen !== undefined && off) {
    throw new BoxError('INVALID_ARGUMENT', '--listen and --off are given together', { hint: 'give one of them' });
  }
  using client = await BoxClient.connect(invocation);
  const { watching } = client;
  const address = listen !== undefined || off ? await watching.serveMetrics(listen) : await watching.metrics();
  process.stdout.write(`${address ?? 'off'}\n`);
  return 0;
}
