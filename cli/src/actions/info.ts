import { BoxClient, type HostInfo } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { infoFlags } from '../commands/info.js';
import { objectFormat, withGoNames } from '../format/object-format.js';
import type { Invocation } from '../invocation.js';
import { checkOneFormat } from './one-format.js';
import { table } from './table.js';

/** `info`. */
export async function showInfo({ flags }: Input<typeof infoFlags>, invocation: Invocation): Promise<number> {
  checkOneFormat(flags);
  const print = flags.format === undefined ? undefined : objectFormat(flags.format);
  using client = await BoxClient.connect(invocation);
  const info = await client.info();
  const all = { ...info, clientVersion: invocation.version };
  if (print) process.stdout.write(print(withGoNames(all)));
  else process.stdout.write(flags.json ? `${JSON.stringify(all, null, 2)}\n` : describe(info));
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
