import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';
import { quietFlag } from './image-flags.js';

export const pullFlags = {
  ...quietFlag,
  platform: {
    kind: 'value',
    placeholder: 'PLATFORM',
    summary: 'system and architecture to fetch the image for, for example linux/arm64',
    parse: text,
    absent: 'linux on this architecture',
  },
  'plain-http': { kind: 'boolean', summary: 'speak http to the registry; only to one on this machine (loopback)' },
} as const;

export const pull = defineCommand({
  name: 'pull',
  family: 'Images',
  summary: 'Fetch an image from a registry',
  synopsis: 'IMAGE',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: pullFlags,
  examples: ['a3s-box pull alpine:3.20', 'a3s-box pull --plain-http localhost:5000/app'],
  load: async () => (await import('../actions/bring-images.js')).pullImage,
});
