import { defineCommand } from '../command.js';
import { detachKeysFlag } from './detach-keys-flag.js';
import { processFlags } from './process-flags.js';

export const execFlags = {
  ...processFlags,
  ...detachKeysFlag,
  detach: { kind: 'boolean', char: 'd', summary: 'start the process and leave it alone' },
  privileged: { kind: 'boolean', summary: 'give the process all capabilities' },
} as const;

export const exec = defineCommand({
  name: 'exec',
  family: 'Boxes',
  summary: 'Run one more command in a running box',
  description: [
    "Options stand before the box; all after it is the command's. Exit statuses are those of 'a3s-box run'.",
    'Signals are passed on, so Ctrl-C ends the command in the box too.',
  ],
  synopsis: 'BOX COMMAND [ARG...]',
  minArgs: 2,
  maxArgs: Infinity,
  interspersed: false,
  flags: execFlags,
  examples: ['a3s-box exec web ps', 'a3s-box exec -it web sh'],
  load: async () => (await import('../actions/exec.js')).execInBox,
});
