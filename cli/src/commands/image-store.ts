import { defineCommand } from '../command.js';
import { jsonFlag } from './json-flag.js';
import { pruneFlags } from './system.js';

export const imagePruneFlags = {
  all: { kind: 'boolean', char: 'a', summary: 'also images that have a name, if no box is of them' },
  ...pruneFlags,
} as const;

export const imagePrune = defineCommand({
  name: 'image prune',
  family: 'Images',
  summary: 'Remove images that nobody needs',
  description: ['Images without a name; with -a all that no box is of. Asks first, unless -f is given.'],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: imagePruneFlags,
  examples: ['a3s-box image prune -f --filter until=24h'],
  load: async () => (await import('../actions/prune.js')).pruneUnusedImages,
});

export const imageFsckFlags = {
  repair: { kind: 'boolean', summary: 'take damaged images away, so that they can be pulled again' },
  ...jsonFlag,
} as const;

export const imageFsck = defineCommand({
  name: 'image fsck',
  family: 'Images',
  summary: 'Verify all that the image store keeps',
  description: [
    'Every document and layer against its digest, and every file system against one that is made again of the same content. ' +
      'Ends with status 1 when something is damaged and was not taken away.',
  ],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: imageFsckFlags,
  examples: ['a3s-box image fsck --repair'],
  load: async () => (await import('../actions/check-images.js')).checkImages,
});
