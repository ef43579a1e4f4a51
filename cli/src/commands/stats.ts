import { defineCommand } from '../command.js';
import { listFormatFlag } from './format-flag.js';

export const statsFlags = {
  all: { kind: 'boolean', char: 'a', summary: 'also boxes that do not run' },
  ...listFormatFlag,
  'no-stream': { kind: 'boolean', summary: 'print once, and end' },
  'no-trunc': { kind: 'boolean', summary: 'whole ids' },
} as const;

export const stats = defineCommand({
  name: 'stats',
  family: 'Boxes',
  summary: 'Show what boxes use',
  description: [
    'CPU, memory, network, disk and processes as the guest counts them, each second; HOST MEM is what the VM takes of the ' +
      "host's memory. Without names, all boxes that run.",
  ],
  synopsis: '[BOX...]',
  minArgs: 0,
  maxArgs: Infinity,
  interspersed: true,
  flags: statsFlags,
  examples: ['a3s-box stats', 'a3s-box stats --no-stream --format json web'],
  load: async () => (await import('../actions/stats.js')).showStats,
});
