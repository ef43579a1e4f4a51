import { defineCommand } from '../command.js';
import { quietFlag } from './image-flags.js';

export const importCommand = defineCommand({
  name: 'import',
  family: 'Images',
  summary: "Make an image of one layer from a root file system's tar",
  synopsis: 'FILE|- [NAME]',
  minArgs: 1,
  maxArgs: 2,
  interspersed: true,
  flags: quietFlag,
  examples: ['a3s-box import rootfs.tar.gz debian:mine'],
  load: async () => (await import('../actions/bring-images.js')).importImage,
});
