import { BoxError, isBoxError } from '@a3s-box/core';
import { BoxClient, type ExecSpec } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { execFlags } from '../commands/exec.js';
import { environmentOf } from '../grammar/environment.js';
import type { Invocation } from '../invocation.js';
import { exitOrLeft } from './attach.js';
import { nameOf } from './each-box.js';
import { Foreground, requireTerminal } from './foreground.js';
import { terminalSize } from './terminal.js';

/** `exec`: one more process in a box that runs. */
export async function execInBox(
  { flags, args: [name = '', ...command] }: Input<typeof execFlags>,
  invocation: Invocation,
): Promise<number> {
  const box = nameOf(name);
  if (!flags.detach) requireTerminal(flags);
  const size = flags.tty ? terminalSize() : undefined;
  const spec: ExecSpec = {
    command,
    environment: environmentOf(flags['env-file'], flags.env, invocation.environment),
    ...(flags.workdir !== undefined && { workingDirectory: flags.workdir }),
    ...(flags.user !== undefined && { user: flags.user }),
    terminal: flags.tty,
    ...(size && { terminalSize: size }),
    stdinOpen: flags.interactive && !flags.detach,
    detached: flags.detach,
    privileged: flags.privileged,
  };
  using foreground = new Foreground(flags);
  return await foreground.guard(async () => {
    const { timeline } = invocation;
    const { signal } = foreground;
    using client = await timeline.measure('connect', () => BoxClient.connect({ ...invocation, signal }));
    const execId = await timeline.measure('exec', () => client.exec(box, spec, { signal }).catch(asRefusal));
    if (flags.detach) return 0;
    const attachment = await timeline.measure('attach', () =>
      client.attach(box, { execId, stdin: flags.interactive, signal }),
    );
    return exitOrLeft(await foreground.run({ client, process: { box, execId }, timeline }, attachment), 1);
  });
}

/** What Docker's daemon refuses, for the box is not there or does not run, ends its `exec` with 1. */
class Refused extends BoxError {
  override get exitStatus(): number {
    return 1;
  }
}

function asRefusal(error: unknown): never {
  if (!isBoxError(error) || (error.code !== 'CONFLICT' && error.code !== 'NOT_FOUND')) throw error;
  const { code, message, hint, details } = error;
  throw new Refused(code, message, { ...(hint !== undefined && { hint }), ...(details && { details }), cause: error });
}
