import { defineCommand } from '../command.js';
import { listFormatFlag } from './format-flag.js';

export const historyFlags = {
  ...listFormatFlag,
  human: { kind: 'boolean', char: 'H', byDefault: true, summary: 'sizes and times for people' },
  'no-trunc': { kind: 'boolean', summary: 'show whole commands' },
  quiet: { kind: 'boolean', char: 'q', summary: "only ids: the image's for its last step, <missing> for others" },
} as const;

export const history = defineCommand({
  name: 'history',
  family: 'Images',
  summary: 'Show how an image was made',
  synopsis: 'IMAGE',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: historyFlags,
  load: async () => (await import('../actions/history.js')).showHistory,
});
