import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';
import { commitFlags } from './commit.js';
import { quietFlag } from './image-flags.js';

export const importFlags = {
  ...quietFlag,
  change: commitFlags.change,
  message: commitFlags.message,
  platform: {
    kind: 'value',
    placeholder: 'PLATFORM',
    summary: 'system and architecture that the files are for, for example linux/arm64',
    parse: text,
    absent: 'linux on this architecture',
  },
} as const;

export const importCommand = defineCommand({
  name: 'import',
  family: 'Images',
  summary: "Make an image of one layer from a root file system's tar",
  synopsis: 'FILE|- [NAME]',
  minArgs: 1,
  maxArgs: 2,
  interspersed: true,
  flags: importFlags,
  examples: [
    'a3s-box import rootfs.tar.gz debian:mine',
    `a3s-box import -c 'CMD ["bash"]' -c 'ENV LANG=C.UTF-8' rootfs.tar debian:mine`,
  ],
  load: async () => (await import('../actions/bring-images.js')).importImage,
});
