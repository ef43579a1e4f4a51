import { defineCommand } from '../command.js';

export const imageInspect = defineCommand({
  name: 'image inspect',
  family: 'Images',
  summary: 'Print everything that is known of images, as JSON',
  synopsis: 'IMAGE [IMAGE...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: {},
  load: async () => (await import('../actions/name-images.js')).inspectImages,
});
