import { defineCommand } from '../command.js';

export const rmFlags = {
  force: {
    kind: 'boolean',
    char: 'f',
    summary: 'also boxes that run; they are killed. One that is not there is no failure',
  },
  volumes: { kind: 'boolean', char: 'v', summary: 'also the volumes that were made for them, which have no name' },
} as const;

export const rm = defineCommand({
  name: 'rm',
  family: 'Boxes',
  summary: 'Remove boxes with all that is theirs',
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: rmFlags,
  examples: ['a3s-box rm web', 'a3s-box rm -f $(a3s-box ps -aq)'],
  load: async () => (await import('../actions/end-boxes.js')).removeBoxes,
});
