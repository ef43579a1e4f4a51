import { defineCommand } from '../command.js';

export const top = defineCommand({
  name: 'top',
  family: 'Boxes',
  summary: 'Show the processes of a box',
  description: [
    "As 'ps -ef' does, with the ids that the box itself sees; the guest tells it, whatever the image holds. Other options of ps " +
      'are refused.',
  ],
  synopsis: 'BOX [-ef]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: false,
  flags: {},
  examples: ['a3s-box top web'],
  load: async () => (await import('../actions/top.js')).showProcesses,
});
