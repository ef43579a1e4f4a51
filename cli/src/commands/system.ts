import { defineCommand } from '../command.js';
import { nonEmpty } from '../grammar/values.js';
import { listFormatFlag } from './format-flag.js';

const pruneFlags = {
  filter: {
    kind: 'list',
    placeholder: 'NAME=VALUE',
    parse: nonEmpty,
    summary: 'only what was made before until=TIME, or has label=NAME[=VALUE], or has not label!=NAME[=VALUE]',
  },
  force: { kind: 'boolean', char: 'f', summary: 'do not ask' },
} as const;

export const containerPruneFlags = pruneFlags;

export const containerPrune = defineCommand({
  name: 'container prune',
  family: 'Boxes',
  summary: 'Remove all boxes that do not run',
  description: ['Asks first, unless -f is given.'],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: containerPruneFlags,
  examples: ['a3s-box container prune -f --filter until=24h'],
  load: async () => (await import('../actions/prune.js')).pruneBoxes,
});

export const systemPruneFlags = {
  all: { kind: 'boolean', char: 'a', summary: 'also images that have a name, if no box is of them' },
  ...pruneFlags,
} as const;

export const systemPrune = defineCommand({
  name: 'system prune',
  family: 'System',
  summary: 'Remove boxes that do not run, and images that nobody needs',
  description: ['Images without a name; with -a all that no box is of. Asks first, unless -f is given.'],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: systemPruneFlags,
  load: async () => (await import('../actions/prune.js')).pruneSystem,
});

export const systemDfFlags = { ...listFormatFlag } as const;

export const systemDf = defineCommand({
  name: 'system df',
  family: 'System',
  summary: 'Show what images, boxes and templates take on the disk',
  description: [
    'Of boxes and templates what their files really take. Images have the size of their layers, of which one that several ' +
      'images have counts each time.',
  ],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: systemDfFlags,
  load: async () => (await import('../actions/disk-usage.js')).showDiskUsage,
});
