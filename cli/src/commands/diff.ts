import { defineCommand } from '../command.js';

export const diff = defineCommand({
  name: 'diff',
  family: 'Boxes',
  summary: "List what in a box's file system differs from its image",
  description: ['A: added, C: changed, D: deleted. The box need not run. Volumes are left out.'],
  synopsis: 'BOX',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: {},
  examples: ['a3s-box diff web'],
  load: async () => (await import('../actions/diff.js')).listDifferences,
});
