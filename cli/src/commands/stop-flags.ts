/** Flags that `stop` and `restart` share. */
import { nonEmpty, parseSeconds } from '../grammar/values.js';

export const stopFlags = {
  signal: {
    kind: 'value',
    char: 's',
    placeholder: 'SIGNAL',
    parse: nonEmpty,
    absent: "the box's stop signal",
    summary: 'signal to send first, by name or number',
  },
  timeout: {
    kind: 'value',
    char: 't',
    aliases: ['time'],
    placeholder: 'SECONDS',
    parse: parseSeconds,
    absent: "the box's, else 10",
    summary: 'time to end in before it is killed; -1: as long as it takes',
  },
} as const;
