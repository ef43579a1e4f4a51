import { defineCommand } from '../command.js';
import { jsonFlag } from './json-flag.js';

export const images = defineCommand({
  name: 'images',
  family: 'Images',
  summary: 'List images',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: jsonFlag,
  load: async () => (await import('../actions/images.js')).listImages,
});
