import { defineCommand } from '../command.js';
import { boxFlags } from './box-flags.js';

export const create = defineCommand({
  name: 'create',
  family: 'Boxes',
  summary: 'Make a box without starting it',
  description: [
    "Takes the options of 'a3s-box run' and prints the box's id. What is asked for is checked and kept; 'a3s-box start' " +
      'runs it.',
  ],
  synopsis: 'IMAGE [COMMAND] [ARG...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: false,
  flags: boxFlags,
  examples: ['a3s-box create --name web -p 8080:80 a3s/starter httpd -f', 'a3s-box start web'],
  load: async () => (await import('../actions/create.js')).createBox,
});
