import { defineCommand } from '../command.js';
import { nonEmpty } from '../grammar/values.js';

export const inspectFlags = {
  format: {
    kind: 'value',
    char: 'f',
    placeholder: 'FORMAT',
    parse: nonEmpty,
    summary: 'json or a Go template, for each box',
  },
} as const;

export const inspect = defineCommand({
  name: 'inspect',
  family: 'Boxes',
  summary: 'Print everything that is known of boxes, as JSON',
  description: [
    "The fields are Docker's where it has them. State.ExitCode is null until the box has ended, and where its exit " +
      'status is not known.',
  ],
  synopsis: 'BOX [BOX...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: true,
  flags: inspectFlags,
  examples: ["a3s-box inspect -f '{{.State.Status}} {{json .NetworkSettings.Ports}}' web"],
  load: async () => (await import('../actions/inspect.js')).inspectBoxes,
});
