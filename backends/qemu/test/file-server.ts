import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { FileServer } from '@a3s-box/contract-hypervisor';
import { bundledVirtiofsdPath } from '@a3s-box/native';

/** The checkout's virtiofsd without a sandbox, for directories of tests. */
export async function serveFiles(directory: string, socket: string): Promise<FileServer> {
  const program = bundledVirtiofsdPath();
  assert.ok(existsSync(program), `${program} is missing: npm run setup -- --tests builds it`);
  const options = [
    `--socket-path=${socket}`,
    `--shared-dir=${directory}`,
    '--sandbox=none',
    '--inode-file-handles=never',
  ];
  const child = spawn(program, options, { stdio: ['ignore', 'ignore', 'pipe'] });
  const gone = once(child, 'close').then(() => undefined);
  let said = '';
  for await (const text of child.stderr.setEncoding('utf8')) {
    said += String(text);
    if (said.includes('Waiting for vhost-user')) break;
  }
  assert.ok(existsSync(socket), said);
  return {
    gone,
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
