import { defineCommand } from '../command.js';
import { nonEmpty } from '../grammar/values.js';
import { listFormatFlag } from './format-flag.js';
import { jsonFlag } from './json-flag.js';

export const imagesFlags = {
  digests: { kind: 'boolean', summary: "show the digests of the images' manifests" },
  filter: {
    kind: 'list',
    char: 'f',
    placeholder: 'NAME=VALUE',
    parse: nonEmpty,
    summary: 'only images with reference=PATTERN or label, dangling=true those without a name, before, since or until',
  },
  'no-trunc': { kind: 'boolean', summary: 'show whole ids' },
  quiet: { kind: 'boolean', char: 'q', summary: 'only ids' },
  ...jsonFlag,
  ...listFormatFlag,
} as const;

export const images = defineCommand({
  name: 'images',
  family: 'Images',
  summary: 'List images',
  synopsis: '[REPOSITORY[:TAG]]',
  minArgs: 0,
  maxArgs: 1,
  interspersed: true,
  flags: imagesFlags,
  examples: ["a3s-box images --filter 'reference=team/*'", 'a3s-box rmi $(a3s-box images -q -f dangling=true)'],
  load: async () => (await import('../actions/images.js')).listImages,
});
