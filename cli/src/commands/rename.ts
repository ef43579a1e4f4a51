import { defineCommand } from '../command.js';

export const rename = defineCommand({
  name: 'rename',
  family: 'Boxes',
  summary: 'Give a box another name',
  description: ['The host name of the box stays.'],
  synopsis: 'BOX NAME',
  minArgs: 2,
  maxArgs: 2,
  interspersed: true,
  flags: {},
  examples: ['a3s-box rename web old-web'],
  load: async () => (await import('../actions/change-boxes.js')).renameBox,
});
