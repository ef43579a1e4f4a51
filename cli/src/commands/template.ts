import { defineCommand } from '../command.js';
import { nonEmpty, parseSize } from '../grammar/values.js';
import { boxFlags } from './box-flags.js';
import { listFormatFlag } from './format-flag.js';
import { jsonFlag } from './json-flag.js';

const { backend, cpus, memory, network } = boxFlags;

export const templateCreateFlags = { backend, cpus, memory, network } as const;

export const templateCreate = defineCommand({
  name: 'template create',
  family: 'System',
  summary: 'Boot a guest that boxes are cloned from',
  description: [
    'Prints its key. The first box of a size has its template made in the background, so this is for those who want even ' +
      'the first one to be a clone. Boxes with the same backend, CPUs, memory, and network or none share a template.',
  ],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: templateCreateFlags,
  examples: ['a3s-box template create -m 1g --cpus 2'],
  load: async () => (await import('../actions/templates.js')).createTemplate,
});

export const templateListFlags = { ...jsonFlag, ...listFormatFlag } as const;

export const templateList = defineCommand({
  name: 'template ls',
  family: 'System',
  summary: 'List templates, those used last first',
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: templateListFlags,
  load: async () => (await import('../actions/templates.js')).listTemplates,
});

export const templateRemove = defineCommand({
  name: 'template rm',
  family: 'System',
  summary: 'Remove templates; boxes that were cloned from them go on',
  synopsis: 'KEY [KEY...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: {},
  load: async () => (await import('../actions/templates.js')).removeTemplates,
});

export const templatePruneFlags = {
  keep: {
    kind: 'value',
    placeholder: 'SIZE',
    parse: (value: string) => (nonEmpty(value) === '0' ? 0 : parseSize(value)),
    absent: '0',
    summary: 'leave those used last, up to this size together',
  },
} as const;

export const templatePrune = defineCommand({
  name: 'template prune',
  family: 'System',
  summary: 'Remove the templates that were used least recently',
  description: ['Without --keep all of them. By itself a home keeps templates of 2 GiB together.'],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: templatePruneFlags,
  load: async () => (await import('../actions/templates.js')).pruneTemplates,
});
