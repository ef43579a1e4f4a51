import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';

export const exportFlags = {
  output: {
    kind: 'value',
    char: 'o',
    placeholder: 'FILE',
    summary: 'write to this file',
    parse: text,
    absent: 'stdout',
  },
} as const;

export const exportCommand = defineCommand({
  name: 'export',
  family: 'Boxes',
  summary: "Write a box's file system as a tar archive",
  description: ['The box need not run. Volumes are left out. The archive can be imported as an image.'],
  synopsis: 'BOX',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: exportFlags,
  examples: ['a3s-box export -o web.tar web', 'a3s-box export web | a3s-box import - web:flat'],
  load: async () => (await import('../actions/export.js')).exportBox,
});
