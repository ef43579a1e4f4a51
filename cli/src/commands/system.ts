import { defineCommand } from '../command.js';
import { nonEmpty } from '../grammar/values.js';
import { listFormatFlag } from './format-flag.js';

export const pruneFlags = {
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

export const systemDfFlags = {
  ...listFormatFlag,
  verbose: { kind: 'boolean', char: 'v', summary: 'list them one by one' },
} as const;

export const systemDf = defineCommand({
  name: 'system df',
  family: 'System',
  summary: 'Show what images, boxes, volumes, snapshots and templates take on the disk',
  description: [
    'What their files really take, but for images: these have the size of their layers, of which one that several ' +
      'images have counts each time.',
  ],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: systemDfFlags,
  load: async () => (await import('../actions/disk-usage.js')).showDiskUsage,
});

export const systemInstall = defineCommand({
  name: 'system install',
  family: 'System',
  summary: 'Have the supervisor of this home started with the machine',
  description: [
    'Writes a unit of the systemd of this user, or an agent of launchd, and enables it. Boxes whose restart policy says so ' +
      'are started by it then.',
  ],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: {},
  load: async () => (await import('../actions/autostart.js')).install,
});

export const systemUninstall = defineCommand({
  name: 'system uninstall',
  family: 'System',
  summary: "Take away what 'a3s-box system install' made",
  description: ['The supervisor and boxes that run go on.'],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: {},
  load: async () => (await import('../actions/autostart.js')).uninstall,
});
