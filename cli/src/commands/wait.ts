import { defineCommand } from '../command.js';

export const wait = defineCommand({
  name: 'wait',
  family: 'Boxes',
  summary: 'Wait for the end of boxes and print their exit statuses',
  description: [
    'Of a box whose exit status is not known none is printed; stderr says why, and the exit status is 125.',
  ],
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: {},
  examples: ['a3s-box wait job'],
  load: async () => (await import('../actions/end-boxes.js')).waitForBoxes,
});
