import { defineCommand } from '../command.js';

export const unpause = defineCommand({
  name: 'unpause',
  family: 'Boxes',
  summary: 'Let boxes go on that were paused',
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: {},
  examples: ['a3s-box unpause web'],
  load: async () => (await import('../actions/change-boxes.js')).unpauseBoxes,
});
