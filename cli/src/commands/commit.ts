import { defineCommand } from '../command.js';
import { text } from '../grammar/flag.js';

export const commitFlags = {
  author: { kind: 'value', char: 'a', placeholder: 'NAME', summary: 'who made the image', parse: text },
  message: { kind: 'value', char: 'm', placeholder: 'TEXT', summary: "a comment for the image's history", parse: text },
  change: {
    kind: 'list',
    char: 'c',
    placeholder: 'INSTRUCTION',
    summary: 'apply a Dockerfile instruction: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, USER, VOLUME or WORKDIR',
    parse: text,
  },
  pause: {
    kind: 'boolean',
    char: 'p',
    summary: "hold the box's processes meanwhile",
    byDefault: true,
  },
} as const;

export const commit = defineCommand({
  name: 'commit',
  family: 'Boxes',
  summary: "Make an image of a box's changes",
  description: ["The image is the box's own with one more layer: what 'a3s-box diff' lists. The box need not run."],
  synopsis: 'BOX [NAME[:TAG]]',
  minArgs: 1,
  maxArgs: 2,
  interspersed: true,
  flags: commitFlags,
  examples: ['a3s-box commit web web:patched', `a3s-box commit -c 'CMD ["nginx"]' -m 'with config' web`],
  load: async () => (await import('../actions/commit.js')).commitBox,
});
