import { defineCommand } from '../command.js';
import { nonEmpty } from '../grammar/values.js';

export const killFlags = {
  signal: {
    kind: 'value',
    char: 's',
    placeholder: 'SIGNAL',
    parse: nonEmpty,
    absent: 'SIGKILL',
    summary: 'signal to send, by name or number',
  },
} as const;

export const kill = defineCommand({
  name: 'kill',
  family: 'Boxes',
  summary: 'Send a signal to the main processes of boxes',
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: killFlags,
  examples: ['a3s-box kill web', 'a3s-box kill -s HUP web'],
  load: async () => (await import('../actions/end-boxes.js')).killBoxes,
});
