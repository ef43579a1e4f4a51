import { defineCommand } from '../command.js';
import { nonEmpty, parseLabel } from '../grammar/values.js';
import { parseVolumeDriver, parseVolumeOption } from '../grammar/volume-option.js';
import { listFormatFlag } from './format-flag.js';
import { inspectFlags } from './inspect.js';

export const volumeCreateFlags = {
  driver: {
    kind: 'value',
    char: 'd',
    placeholder: 'DRIVER',
    parse: parseVolumeDriver,
    absent: 'local',
    summary: 'local, the only one there is',
  },
  label: { kind: 'list', placeholder: 'NAME[=VALUE]', parse: parseLabel, summary: 'put a label on the volume' },
  opt: {
    kind: 'list',
    char: 'o',
    placeholder: 'size=SIZE',
    parse: parseVolumeOption,
    summary: 'a disk of this size, from 16m, which one box at a time can have',
  },
} as const;

export const volumeCreate = defineCommand({
  name: 'volume create',
  family: 'Volumes',
  summary: 'Make a volume',
  description: [
    'Prints its name. Without --opt size it is a directory of the host, which any number of boxes can have at a time; with ' +
      'it a disk, which is faster and keeps all owners, and which one box at a time can have.',
  ],
  synopsis: '[VOLUME]',
  minArgs: 0,
  maxArgs: 1,
  interspersed: true,
  flags: volumeCreateFlags,
  examples: ['a3s-box volume create data', 'a3s-box volume create --opt size=16g database'],
  load: async () => (await import('../actions/volumes.js')).createVolume,
});

export const volumeListFlags = {
  filter: {
    kind: 'list',
    char: 'f',
    placeholder: 'NAME=VALUE',
    parse: nonEmpty,
    summary: 'only volumes with this name or label, dangling=true those that no box has, or driver',
  },
  ...listFormatFlag,
  quiet: { kind: 'boolean', char: 'q', summary: 'only names' },
} as const;

export const volumeList = defineCommand({
  name: 'volume ls',
  family: 'Volumes',
  summary: 'List volumes',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: volumeListFlags,
  examples: ['a3s-box volume ls -q --filter dangling=true'],
  load: async () => (await import('../actions/volumes.js')).listVolumes,
});

export const volumeInspect = defineCommand({
  name: 'volume inspect',
  family: 'Volumes',
  summary: 'Print everything that is known of volumes, as JSON',
  synopsis: 'VOLUME [VOLUME...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: inspectFlags,
  load: async () => (await import('../actions/volumes.js')).inspectVolumes,
});

export const volumeRemoveFlags = {
  force: { kind: 'boolean', char: 'f', summary: 'one that is not there is no failure' },
} as const;

export const volumeRemove = defineCommand({
  name: 'volume rm',
  family: 'Volumes',
  summary: 'Remove volumes with what is in them; not those that a box has',
  synopsis: 'VOLUME [VOLUME...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: volumeRemoveFlags,
  load: async () => (await import('../actions/volumes.js')).removeVolumes,
});

export const volumePruneFlags = {
  all: { kind: 'boolean', char: 'a', summary: 'also those that were given a name' },
  filter: { kind: 'list', placeholder: 'label=NAME[=VALUE]', parse: nonEmpty, summary: 'only volumes with this label' },
  force: { kind: 'boolean', char: 'f', summary: 'do not ask' },
} as const;

export const volumePrune = defineCommand({
  name: 'volume prune',
  family: 'Volumes',
  summary: 'Remove the volumes that no box has',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: volumePruneFlags,
  load: async () => (await import('../actions/volumes.js')).pruneVolumes,
});
