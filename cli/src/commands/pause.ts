import { defineCommand } from '../command.js';

export const pause = defineCommand({
  name: 'pause',
  family: 'Boxes',
  summary: 'Stop boxes where they are',
  description: [
    "The virtual machine stands still with all that is in it. 'a3s-box unpause' lets it go on, with its clock set.",
  ],
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: {},
  examples: ['a3s-box pause web'],
  load: async () => (await import('../actions/change-boxes.js')).pauseBoxes,
});
