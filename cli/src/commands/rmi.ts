import { defineCommand } from '../command.js';

export const rmiFlags = {
  force: { kind: 'boolean', char: 'f', summary: 'also when boxes use the image; they keep its files until they end' },
} as const;

export const rmi = defineCommand({
  name: 'rmi',
  family: 'Images',
  summary: 'Take names away, and images with their last name',
  synopsis: 'IMAGE [IMAGE...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: rmiFlags,
  load: async () => (await import('../actions/name-images.js')).removeImages,
});
