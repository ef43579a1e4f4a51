import { defineCommand } from '../command.js';
import { parseRestartPolicy } from '../grammar/restart-policy.js';
import { resourceFlags } from './container-flags.js';
import { parseCpus, parseSize } from '../grammar/values.js';

const { 'cpu-period': period, 'cpu-shares': shares, ...others } = resourceFlags;

export const updateFlags = {
  ...others,
  'cpu-period': withoutDefault(period),
  'cpu-shares': withoutDefault(shares),
  cpus: { kind: 'value', placeholder: 'NUMBER', parse: parseCpus, summary: 'CPUs, decimals allowed' },
  memory: {
    kind: 'value',
    char: 'm',
    placeholder: 'SIZE',
    parse: parseSize,
    summary: 'memory: a number with b, k, m or g',
  },
  restart: {
    kind: 'value',
    placeholder: 'POLICY',
    parse: parseRestartPolicy,
    summary: 'restart policy, no to have none',
  },
} as const;

/** What is not given stays as it is. */
function withoutDefault<T extends { readonly absent: string }>(given: T): Omit<T, 'absent'> {
  const { absent: _absent, ...flag } = given;
  return flag;
}

export const update = defineCommand({
  name: 'update',
  family: 'Boxes',
  summary: 'Change limits and restart policy of boxes',
  description: [
    'Limits of a box that runs hold at once, up to what its virtual machine was given; for more it has to be stopped first.',
  ],
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: updateFlags,
  examples: ['a3s-box update -m 256m --cpus 0.5 web', 'a3s-box update --restart always web'],
  load: async () => (await import('../actions/change-boxes.js')).updateBoxes,
});
