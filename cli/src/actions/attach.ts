import { BoxError } from '@a3s-box/core';
import { BoxClient, type BoxRecord, type ExitStatus } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { attachFlags } from '../commands/attach.js';
import type { Invocation } from '../invocation.js';
import { nameOf } from './each-box.js';
import { exitCodeOf } from './exit-code.js';
import { Foreground, requireTerminal } from './foreground.js';
import { terminalSize } from './terminal.js';

/** Said where a user left a box that goes on. */
const LEFT = 'read escape sequence\n';

/** `attach`. */
export async function attachToBox(
  { flags, args: [name = ''] }: Input<typeof attachFlags>,
  invocation: Invocation,
): Promise<number> {
  const box = nameOf(name);
  const { timeline } = invocation;
  using client = await timeline.measure('connect', () => BoxClient.connect(invocation));
  const record = await client.inspect(box);
  checkRuns(record);
  const streams = { interactive: !flags['no-stdin'] && record.spec.stdinOpen, tty: record.spec.terminal };
  requireTerminal(streams);
  using foreground = new Foreground({ ...flags, ...streams });
  const { signal } = foreground;
  return await foreground.guard(async () => {
    const attachment = await client.attach(record.id, { stdin: streams.interactive, signal });
    if (streams.tty) await redraw(client, record.id);
    return exitOrLeft(await foreground.run({ client, process: { box: record.id }, timeline }, attachment), 1);
  });
}

/**
 * The exit status for how a process ended.
 * @param left that of one that was left: in Docker's command line 1 of those that only join it, 0 of those that start it
 */
export function exitOrLeft(status: ExitStatus | undefined, left: 0 | 1): number {
  if (status) return exitCodeOf(status);
  process.stderr.write(LEFT);
  return left;
}

function checkRuns({ name, state }: BoxRecord): void {
  if (state !== 'created' && state !== 'starting') return;
  throw new BoxError('CONFLICT', `box "${name}" does not run: it is ${state}`, {
    hint: `start it first: a3s-box start -a ${name}`,
  });
}

/** A program shows its screen anew when the size changes, and the size may be what it was. */
async function redraw(client: BoxClient, box: string): Promise<void> {
  const size = terminalSize();
  if (size) await client.resize({ box }, { ...size, rows: size.rows + 1 });
}
