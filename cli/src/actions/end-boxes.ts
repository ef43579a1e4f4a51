/** `stop`, `kill`, `rm` and `wait`. */
import { BoxError } from '@a3s-box/core';
import { BoxClient, type StopOptions } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { killFlags } from '../commands/kill.js';
import type { rmFlags } from '../commands/rm.js';
import type { stopFlags } from '../commands/stop-flags.js';
import type { Invocation } from '../invocation.js';
import { codeOf } from '../views/box-status.js';
import { eachBox } from './each-box.js';
import { Interruption } from './interruption.js';

type None = Record<never, never>;

/** What `stop` and `restart` were asked for. */
export function stopOptions({ timeout, signal }: Input<typeof stopFlags>['flags']): StopOptions {
  return { ...(timeout !== undefined && { graceMs: timeout }), ...(signal !== undefined && { stopSignal: signal }) };
}

export async function stopBoxes({ flags, args }: Input<typeof stopFlags>, invocation: Invocation): Promise<number> {
  const options = stopOptions(flags);
  using client = await BoxClient.connect(invocation);
  return await eachBox(args, async (box) => {
    await client.stop(box, options);
    return `${box}\n`;
  });
}

export async function killBoxes({ flags, args }: Input<typeof killFlags>, invocation: Invocation): Promise<number> {
  using client = await BoxClient.connect(invocation);
  return await eachBox(args, async (box) => {
    await client.signal({ box }, flags.signal ?? 'SIGKILL');
    return `${box}\n`;
  });
}

export async function removeBoxes({ flags, args }: Input<typeof rmFlags>, invocation: Invocation): Promise<number> {
  const { force, volumes } = flags;
  using client = await BoxClient.connect(invocation);
  const remove = async (box: string) => {
    await client.remove(box, { force, volumes });
    return `${box}\n`;
  };
  return await eachBox(args, remove, { isHarmless: ({ code }) => force && code === 'NOT_FOUND' });
}

export async function waitForBoxes({ args }: Input<None>, invocation: Invocation): Promise<number> {
  using interruption = new Interruption();
  return await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    const wait = async (box: string) => {
      const exit = await client.wait(box, { signal });
      const code = codeOf(exit);
      if (code !== undefined) return `${code}\n`;
      throw new BoxError('VM_ENDED', `how box ${box} ended is not known${exit.reason ? `: ${exit.reason}` : ''}`);
    };
    return await eachBox(args, wait, { statusOf: ({ code, exitStatus }) => (code === 'VM_ENDED' ? exitStatus : 1) });
  });
}
