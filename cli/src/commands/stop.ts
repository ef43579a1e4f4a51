import { defineCommand } from '../command.js';
import { stopFlags } from './stop-flags.js';

export const stop = defineCommand({
  name: 'stop',
  family: 'Boxes',
  summary: 'Stop boxes: their stop signal, and SIGKILL when that takes too long',
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: stopFlags,
  examples: ['a3s-box stop web', 'a3s-box stop -t 1 web db'],
  load: async () => (await import('../actions/end-boxes.js')).stopBoxes,
});
