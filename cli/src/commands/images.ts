import { defineCommand } from '../command.js';
import { listFormatFlag } from './format-flag.js';
import { jsonFlag } from './json-flag.js';

export const imagesFlags = { ...jsonFlag, ...listFormatFlag } as const;

export const images = defineCommand({
  name: 'images',
  family: 'Images',
  summary: 'List images',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: imagesFlags,
  load: async () => (await import('../actions/images.js')).listImages,
});
