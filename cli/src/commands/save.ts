import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';

export const saveFlags = {
  output: {
    kind: 'value',
    char: 'o',
    placeholder: 'FILE',
    summary: 'write to this file',
    parse: text,
    absent: 'stdout',
  },
} as const;

export const save = defineCommand({
  name: 'save',
  family: 'Images',
  summary: 'Write images as an oci-archive',
  synopsis: 'IMAGE [IMAGE...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: saveFlags,
  examples: ['a3s-box save -o starter.tar a3s/starter'],
  load: async () => (await import('../actions/save-images.js')).saveImages,
});
