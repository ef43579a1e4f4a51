import { defineCommand } from '../command.js';
import { detachKeysFlag } from './detach-keys-flag.js';

export const startFlags = {
  attach: { kind: 'boolean', char: 'a', summary: 'show what it writes until it ends, and pass signals on' },
  ...detachKeysFlag,
  interactive: { kind: 'boolean', char: 'i', summary: "pass stdin on, if the box keeps it open; with -a's output" },
} as const;

export const start = defineCommand({
  name: 'start',
  family: 'Boxes',
  summary: 'Start boxes that do not run',
  description: [
    'A box that ran before goes on with the disk and the log that it has, in a new virtual machine. One that runs is left alone.',
    'With -a one box, whose output is shown until it ends; the exit status is its own then.',
  ],
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: startFlags,
  examples: ['a3s-box start web', 'a3s-box start -ai shell'],
  load: async () => (await import('../actions/start.js')).startBoxes,
});
