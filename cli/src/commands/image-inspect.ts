import { defineCommand } from '../command.js';

export const imageInspectFlags = {
  referrers: { kind: 'boolean', summary: 'ask the registry what it keeps beside the images, such as signatures' },
  'plain-http': { kind: 'boolean', summary: 'speak http to the registry; only to one on this machine (loopback)' },
} as const;

export const imageInspect = defineCommand({
  name: 'image inspect',
  family: 'Images',
  summary: 'Print everything that is known of images, as JSON',
  synopsis: 'IMAGE [IMAGE...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: imageInspectFlags,
  load: async () => (await import('../actions/name-images.js')).inspectImages,
});
