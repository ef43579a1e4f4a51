import { defineCommand } from '../command.js';
import { stopFlags } from './stop-flags.js';

export const restart = defineCommand({
  name: 'restart',
  family: 'Boxes',
  summary: 'Stop boxes and start them again',
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: stopFlags,
  examples: ['a3s-box restart web'],
  load: async () => (await import('../actions/change-boxes.js')).restartBoxes,
});
