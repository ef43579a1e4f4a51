import { defineCommand } from '../command.js';
import { objectFormatFlag } from './format-flag.js';
import { jsonFlag } from './json-flag.js';

export const infoFlags = { ...jsonFlag, ...objectFormatFlag } as const;

export const info = defineCommand({
  name: 'info',
  family: 'System',
  summary: 'Show what this host can run boxes with: every backend, its probe and why',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: infoFlags,
  load: async () => (await import('../actions/info.js')).showInfo,
});
