import { defineCommand } from '../command.js';

export const cpFlags = {
  archive: {
    kind: 'boolean',
    char: 'a',
    summary: 'keep user and group ids; without it files belong to root in a box, and to you on the host',
  },
  'follow-link': { kind: 'boolean', char: 'L', summary: 'follow the symbolic link that the source is' },
  quiet: { kind: 'boolean', char: 'q', summary: 'say nothing of what was copied' },
} as const;

export const cp = defineCommand({
  name: 'cp',
  family: 'Boxes',
  summary: 'Copy files between boxes and the host, or from box to box',
  description: [
    'A source that ends in /. means what is in it. A destination that is a directory takes the source; one that is not',
    'there becomes it. "-" in place of a file of the host is a tar archive, on stdin or stdout. Boxes need not run.',
  ],
  synopsis: 'BOX:PATH|PATH|- BOX:PATH|PATH|-',
  minArgs: 2,
  maxArgs: 2,
  interspersed: true,
  flags: cpFlags,
  examples: [
    'a3s-box cp site.conf web:/etc/nginx/conf.d/',
    'a3s-box cp web:/var/log/. logs',
    'a3s-box cp web:/etc - | tar t',
  ],
  load: async () => (await import('../actions/cp.js')).copyFiles,
});
