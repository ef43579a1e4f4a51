import { BoxClient, isBoxError, type SupervisorIdentity } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { jsonFlag } from '../commands/json-flag.js';
import type { Invocation } from '../invocation.js';

/** `version`. Starts no supervisor. */
export async function showVersion({ flags }: Input<typeof jsonFlag>, { version, home }: Invocation): Promise<number> {
  const client = { version, node: process.versions.node, platform: `${process.platform}/${process.arch}` };
  const supervisor = await runningSupervisor(home);
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ client, supervisor: supervisor ?? null }, null, 2)}\n`);
  } else {
    process.stdout.write(`Client:      ${version} (Node.js ${client.node}, ${client.platform})\n`);
    process.stdout.write(
      `Supervisor:  ${supervisor ? `${supervisor.version} (pid ${supervisor.pid})` : 'not running'}\n`,
    );
  }
  return 0;
}

async function runningSupervisor(home: string): Promise<SupervisorIdentity | undefined> {
  try {
    using client = await BoxClient.connect({ home });
    return client.supervisor;
  } catch (error) {
    if (isBoxError(error) && error.code === 'SUPERVISOR_UNREACHABLE') return undefined;
    throw error;
  }
}
