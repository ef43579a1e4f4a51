import { defineCommand } from '../command.js';
import { nonEmpty, parseCount } from '../grammar/values.js';
import { listFormatFlag } from './format-flag.js';

export const psFlags = {
  all: { kind: 'boolean', char: 'a', summary: 'also boxes that do not run' },
  filter: {
    kind: 'list',
    char: 'f',
    placeholder: 'NAME=VALUE',
    parse: nonEmpty,
    summary:
      'only boxes with this id, name, label, status, exited, ancestor, before, since, network, publish or health; of ' +
      'several values for one name any will do, but every label has to be there',
  },
  ...listFormatFlag,
  last: {
    kind: 'value',
    char: 'n',
    placeholder: 'NUMBER',
    parse: parseCount,
    summary: 'only so many boxes, those made last, in whatever state',
  },
  latest: { kind: 'boolean', char: 'l', summary: 'only the box made last, in whatever state' },
  'no-trunc': { kind: 'boolean', summary: 'whole ids, commands and reasons' },
  quiet: { kind: 'boolean', char: 'q', summary: 'only ids' },
} as const;

export const ps = defineCommand({
  name: 'ps',
  family: 'Boxes',
  summary: 'List boxes',
  description: ['The newest stand first. Without -a, -n and -l only those that run.'],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: psFlags,
  examples: [
    'a3s-box ps -a',
    'a3s-box ps -aq --filter label=job=nightly --filter status=exited',
    "a3s-box ps --format 'table {{.Names}}\\t{{.Status}}'",
  ],
  load: async () => (await import('../actions/ps.js')).listBoxes,
});
