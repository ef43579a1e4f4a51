import { defineCommand } from '../command.js';

export const tag = defineCommand({
  name: 'tag',
  family: 'Images',
  summary: 'Give an image one more name',
  synopsis: 'IMAGE NAME',
  minArgs: 2,
  maxArgs: 2,
  interspersed: true,
  flags: {},
  examples: ['a3s-box tag a3s/starter mine:1'],
  load: async () => (await import('../actions/name-images.js')).tagImage,
});
