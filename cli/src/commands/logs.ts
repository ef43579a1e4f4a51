import { defineCommand } from '../command.js';
import { parseMoment } from '../grammar/moment.js';
import { parseTail } from '../grammar/values.js';

const moment = { kind: 'value', placeholder: 'TIME', parse: (value: string) => parseMoment(value) } as const;

export const logsFlags = {
  details: { kind: 'boolean', summary: 'put labels and variables before each line that --log-opt of the box names' },
  follow: { kind: 'boolean', char: 'f', summary: 'go on with what is written until the box ends' },
  since: { ...moment, summary: 'only what was written at this time or later: 2026-01-02T15:04:05Z, or 10m ago' },
  tail: {
    kind: 'value',
    char: 'n',
    placeholder: 'LINES|all',
    parse: parseTail,
    absent: 'all',
    summary: 'only so many lines from the end',
  },
  timestamps: { kind: 'boolean', char: 't', summary: 'put the time before each line' },
  until: { ...moment, summary: 'only what was written at this time or earlier' },
} as const;

export const logs = defineCommand({
  name: 'logs',
  family: 'Boxes',
  summary: "Print what a box's main process wrote",
  description: ['Byte for byte, what it wrote to stderr on stderr.'],
  synopsis: 'BOX',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: logsFlags,
  examples: ['a3s-box logs -f web', 'a3s-box logs --since 10m --tail 100 -t web'],
  load: async () => (await import('../actions/logs.js')).printLogs,
});
