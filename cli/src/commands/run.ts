import { defineCommand } from '../command.js';
import { nonEmpty } from '../grammar/values.js';
import { boxFlags } from './box-flags.js';
import { detachKeysFlag } from './detach-keys-flag.js';
import { signalProxyFlag } from './signal-proxy-flag.js';

export const runFlags = {
  ...boxFlags,
  ...detachKeysFlag,
  ...signalProxyFlag,
  detach: { kind: 'boolean', char: 'd', summary: "print the box's id and leave it running" },
  trace: {
    kind: 'value',
    placeholder: 'FILE',
    parse: nonEmpty,
    summary: 'write the phases of the run to a file, as a Chrome trace',
  },
} as const;

export const run = defineCommand({
  name: 'run',
  family: 'Boxes',
  summary: 'Run a command in a new box',
  description: [
    'Makes a microVM from an image, runs the command in it, joins its streams and ends with its exit status. Once it runs, ' +
      'the box does not depend on this command.',
    "Options stand before the image; all after it is the workload's, also what looks like an option.",
    'Exit status: that of the workload, 128 and the number of the signal that ended it, 124 after --timeout, 125 when ' +
      'a3s-box failed, 126 when the command cannot be executed, 127 when it is not found.',
  ],
  synopsis: 'IMAGE [COMMAND] [ARG...]',
  minArgs: 1,
  maxArgs: Infinity,
  interspersed: false,
  flags: runFlags,
  examples: [
    'a3s-box run --rm a3s/starter uname -r',
    'a3s-box run --rm -it a3s/starter sh',
    'a3s-box run -d --name web -p 8080:80 a3s/starter httpd -f',
  ],
  load: async () => (await import('../actions/run.js')).runBox,
});
