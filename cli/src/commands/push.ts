import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';
import { quietFlag } from './image-flags.js';

export const pushFlags = {
  'all-tags': { kind: 'boolean', char: 'a', summary: 'push all tags of the repository NAME' },
  platform: {
    kind: 'value',
    placeholder: 'PLATFORM',
    summary: 'push only if the image is for this system and architecture, for example linux/arm64',
    parse: text,
  },
  'plain-http': { kind: 'boolean', summary: 'speak http to the registry; only to one on this machine (loopback)' },
  ...quietFlag,
} as const;

export const push = defineCommand({
  name: 'push',
  family: 'Images',
  summary: 'Send an image to a registry, or several for different platforms as one',
  synopsis: 'NAME[:TAG] [IMAGE...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: pushFlags,
  examples: ['a3s-box push ghcr.io/me/app:1.0', 'a3s-box push ghcr.io/me/app:1.0 app:amd64 app:arm64'],
  load: async () => (await import('../actions/push.js')).pushImages,
});
