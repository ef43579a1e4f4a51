import { BoxClient, isBoxError, type SupervisorIdentity } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { versionFlags } from '../commands/version.js';
import { objectFormat, withGoNames } from '../format/object-format.js';
import type { Invocation } from '../invocation.js';
import { checkOneFormat } from './one-format.js';

/** `version`. Starts no supervisor. */
export async function showVersion(
  { flags }: Input<typeof versionFlags>,
  { version, home }: Invocation,
): Promise<number> {
  checkOneFormat(flags);
  const print = flags.format === undefined ? undefined : objectFormat(flags.format);
  const client = { version, node: process.versions.node, platform: `${process.platform}/${process.arch}` };
  const supervisor = await runningSupervisor(home);
  if (print) {
    // The supervisor is what Docker calls the server.
    process.stdout.write(print(withGoNames({ client, server: supervisor ?? null })));
  } else if (flags.json) {
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
    // To tell of an older one is what this command is for.
    const older = isBoxError(error) ? error.details?.['supervisor'] : undefined;
    if (older === undefined) throw error;
    return older as SupervisorIdentity;
  }
}
