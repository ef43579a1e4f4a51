import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';
import { listFormatFlag, objectFormatFlag } from './format-flag.js';

const load = () => import('../actions/snapshots.js');

export const snapshotCreateFlags = {
  name: { kind: 'value', placeholder: 'NAME', summary: 'name of the snapshot', parse: text, absent: 'made of the box' },
} as const;

export const snapshotCreate = defineCommand({
  name: 'snapshot create',
  family: 'Boxes',
  summary: 'Keep a box as it is: its settings and its file system',
  description: [
    'Prints the id. Of a box that runs, the disk stands still while it is copied, which takes a moment where the file',
    'system of the home has reflinks (XFS, Btrfs) and longer elsewhere. Memory, volumes and networks are left out.',
  ],
  synopsis: 'BOX',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: snapshotCreateFlags,
  examples: ['a3s-box snapshot create --name before web'],
  load: async () => (await load()).createSnapshot,
});

export const snapshotListFlags = {
  ...listFormatFlag,
  quiet: { kind: 'boolean', char: 'q', summary: 'print ids only' },
} as const;

export const snapshotList = defineCommand({
  name: 'snapshot ls',
  family: 'Boxes',
  summary: 'List snapshots, newest first',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: snapshotListFlags,
  load: async () => (await load()).listSnapshots,
});

export const snapshotInspectFlags = { ...objectFormatFlag } as const;

export const snapshotInspect = defineCommand({
  name: 'snapshot inspect',
  family: 'Boxes',
  summary: 'Show all that is known of snapshots, as JSON',
  synopsis: 'SNAPSHOT [SNAPSHOT...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: snapshotInspectFlags,
  load: async () => (await load()).inspectSnapshots,
});

export const snapshotRestoreFlags = {
  name: { kind: 'value', placeholder: 'NAME', summary: 'name of the box', parse: text, absent: 'one is made' },
} as const;

export const snapshotRestore = defineCommand({
  name: 'snapshot restore',
  family: 'Boxes',
  summary: 'Make a box of a snapshot; it does not run yet',
  description: ["Prints the box's id."],
  synopsis: 'SNAPSHOT',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: snapshotRestoreFlags,
  examples: ['a3s-box snapshot restore --name again before'],
  load: async () => (await load()).restoreSnapshot,
});

export const snapshotRemove = defineCommand({
  name: 'snapshot rm',
  family: 'Boxes',
  summary: 'Remove snapshots; boxes that were made of them stay',
  synopsis: 'SNAPSHOT [SNAPSHOT...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: {},
  load: async () => (await load()).removeSnapshots,
});

export const snapshotPruneFlags = {
  all: { kind: 'boolean', char: 'a', summary: 'also those of boxes that are there' },
  force: { kind: 'boolean', char: 'f', summary: 'do not ask' },
} as const;

export const snapshotPrune = defineCommand({
  name: 'snapshot prune',
  family: 'Boxes',
  summary: 'Remove the snapshots of boxes that are gone',
  description: ['Asks first, unless -f is given.'],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: snapshotPruneFlags,
  load: async () => (await load()).pruneSnapshots,
});
