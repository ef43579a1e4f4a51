import { defineCommand } from '../command.js';
import { objectFormatFlag } from './format-flag.js';
import { jsonFlag } from './json-flag.js';

export const versionFlags = { ...jsonFlag, ...objectFormatFlag } as const;

export const version = defineCommand({
  name: 'version',
  family: 'System',
  summary: 'Show the version of the command and, where it runs, of the supervisor',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: versionFlags,
  load: async () => (await import('../actions/version.js')).showVersion,
});
