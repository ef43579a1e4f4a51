import { defineCommand } from '../command.js';
import { detachKeysFlag } from './detach-keys-flag.js';
import { signalProxyFlag } from './signal-proxy-flag.js';

export const attachFlags = {
  ...detachKeysFlag,
  'no-stdin': { kind: 'boolean', summary: 'leave its stdin alone' },
  ...signalProxyFlag,
} as const;

export const attach = defineCommand({
  name: 'attach',
  family: 'Boxes',
  summary: "Join the streams of a box's main process",
  description: [
    'Shows what it writes from now on, and passes stdin on if the box keeps it open (-i). Several may do that at the same ' +
      'time. Ends with the box and has its exit status then; the detach keys leave it before, where it has a terminal.',
  ],
  synopsis: 'BOX',
  minArgs: 1,
  maxArgs: 1,
  interspersed: true,
  flags: attachFlags,
  examples: ['a3s-box attach shell', 'a3s-box attach --no-stdin web'],
  load: async () => (await import('../actions/attach.js')).attachToBox,
});
