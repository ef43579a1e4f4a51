import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';
import { quietFlag } from './image-flags.js';

export const loadFlags = {
  ...quietFlag,
  input: {
    kind: 'value',
    char: 'i',
    placeholder: 'PATH',
    summary: 'an archive, or a directory with an OCI layout',
    parse: text,
    absent: 'an archive on stdin',
  },
} as const;

export const load = defineCommand({
  name: 'load',
  family: 'Images',
  summary: 'Take over the images of a docker-archive, an oci-archive or an OCI directory',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: loadFlags,
  examples: ['a3s-box load -i images.tar', 'docker save app | a3s-box load'],
  load: async () => (await import('../actions/bring-images.js')).loadImages,
});
