import { parseDetachKeys } from '../grammar/detach-keys.js';

/** `--detach-keys` of commands that lend a terminal to a box. */
export const detachKeysFlag = {
  'detach-keys': {
    kind: 'value',
    placeholder: 'KEYS',
    parse: parseDetachKeys,
    absent: 'ctrl-p,ctrl-q',
    summary: 'keys that leave the box, which goes on: letters, or ctrl- and one, with commas between',
  },
} as const;
