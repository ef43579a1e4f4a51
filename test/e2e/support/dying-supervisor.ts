/**
 * A supervisor that dies by SIGKILL at one commit: `node dying-supervisor.ts HOME MOMENT NUMBER [PROTOCOL-MINOR]`, with
 * MOMENT `before` or `after`, or `never`.
 */
import { closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { PinoLogger, runSupervisor } from '@a3s-box/core/host';

const [home = '', moment, number, minor] = process.argv.slice(2);
const cli = join(import.meta.dirname, '../../../cli');
const ending = new AbortController();
process.on('SIGTERM', () => ending.abort());
using logger = PinoLogger.open({ level: 'info', destination: { descriptor: 2 } });
await runSupervisor({
  home,
  builtInDistribution: join(cli, 'distribution.json'),
  resolveFrom: [cli],
  logger,
  ready: () => {
    writeSync(3, '{"ready":true}\n');
    closeSync(3);
  },
  signal: ending.signal,
  state: {
    onCommit: (when, commits) => {
      if (when === moment && commits === Number(number)) process.kill(process.pid, 'SIGKILL');
    },
  },
  ...(minor === undefined ? {} : { protocolMinor: Number(minor) }),
});
