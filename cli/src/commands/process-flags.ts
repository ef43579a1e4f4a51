/** Flags that `run` and `exec` share. */
import { parseVariable } from '../grammar/environment.js';
import { nonEmpty } from '../grammar/values.js';

export const processFlags = {
  interactive: { kind: 'boolean', char: 'i', summary: 'keep stdin open and pass it on' },
  tty: { kind: 'boolean', char: 't', summary: 'give the process a terminal' },
  env: {
    kind: 'list',
    char: 'e',
    placeholder: 'NAME[=VALUE]',
    parse: parseVariable,
    summary: "set a variable; NAME alone takes the caller's value, or takes the image's away where there is none",
  },
  'env-file': {
    kind: 'list',
    placeholder: 'FILE',
    parse: nonEmpty,
    summary: 'set the variables of a file, one NAME=VALUE a line; --env counts over it',
  },
  workdir: {
    kind: 'value',
    char: 'w',
    placeholder: 'DIRECTORY',
    parse: nonEmpty,
    absent: "the image's",
    summary: 'working directory, an absolute path',
  },
  user: {
    kind: 'value',
    char: 'u',
    placeholder: 'USER[:GROUP]',
    parse: nonEmpty,
    absent: "the image's",
    summary: 'user and group, by name or number',
  },
} as const;
