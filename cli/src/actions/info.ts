import { BoxClient, type HostInfo } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { jsonFlag } from '../commands/json-flag.js';
import type { Invocation } from '../invocation.js';
import { table } from './table.js';

/** `info`. */
export async function showInfo({ flags }: Input<typeof jsonFlag>, invocation: Invocation): Promise<number> {
  using client = await BoxClient.connect(invocation);
  const info = await client.info();
  process.stdout.write(
    flags.json ? `${JSON.stringify({ ...info, clientVersion: invocation.version }, null, 2)}\n` : describe(info),
  );
  return 0;
}

export function describe(info: HostInfo): string {
  const backends = info.backends.map(({ name, usable, acceleration, accelerator, version, reason }) => {
    const how = accelerator ? `${acceleration} (${accelerator})` : acceleration;
    return [name, usable ? 'yes' : 'no', how, version, reason];
  });
  const plugins = info.plugins.map(({ name, version, state, reason }) => [name, version, state, reason]);
  return [
    `Home:        ${info.home}\n`,
    `Supervisor:  version ${info.version}, pid ${info.supervisorPid}\n`,
    `Backend:     ${info.chosenBackend ?? 'none'}: ${info.choiceReason}\n\n`,
    table([['BACKEND', 'USABLE', 'ACCELERATION', 'VERSION', 'WHY'], ...backends]),
    '\n',
    table([['PLUGIN', 'VERSION', 'STATE', 'WHY'], ...plugins]),
  ].join('');
}
