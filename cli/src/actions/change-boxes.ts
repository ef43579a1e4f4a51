/** `restart`, `pause`, `unpause`, `rename` and `update`. */
import { BoxError } from '@a3s-box/core';
import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { stopFlags } from '../commands/stop-flags.js';
import type { updateFlags } from '../commands/update.js';
import type { Invocation } from '../invocation.js';
import { resourcesOf } from './container-options.js';
import { eachBox, nameOf } from './each-box.js';
import { stopOptions } from './end-boxes.js';

type None = Record<never, never>;

export async function restartBoxes({ flags, args }: Input<typeof stopFlags>, invocation: Invocation): Promise<number> {
  return await changeEach(args, invocation, (client, box) => client.restart(box, stopOptions(flags)));
}

export async function pauseBoxes({ args }: Input<None>, invocation: Invocation): Promise<number> {
  return await changeEach(args, invocation, (client, box) => client.pause(box));
}

export async function unpauseBoxes({ args }: Input<None>, invocation: Invocation): Promise<number> {
  return await changeEach(args, invocation, (client, box) => client.unpause(box));
}

export async function renameBox({ args: [box = '', name = ''] }: Input<None>, invocation: Invocation): Promise<number> {
  using client = await BoxClient.connect(invocation);
  await client.rename(nameOf(box), nameOf(name));
  return 0;
}

export async function updateBoxes({ flags, args }: Input<typeof updateFlags>, invocation: Invocation): Promise<number> {
  const { memory, cpus, restart } = flags;
  const limits = resourcesOf(flags);
  const update = {
    ...(memory !== undefined && { memoryBytes: memory }),
    ...(cpus !== undefined && { nanoCpus: cpus }),
    ...(restart !== undefined && { restart }),
    ...(Object.keys(limits).length > 0 && { limits }),
  };
  if (Object.keys(update).length === 0) {
    throw new BoxError('INVALID_ARGUMENT', 'nothing to update was given', {
      hint: "'a3s-box update --help' lists what can be",
    });
  }
  return await changeEach(args, invocation, (client, box) => client.update(box, update));
}

async function changeEach(
  boxes: readonly string[],
  invocation: Invocation,
  change: (client: BoxClient, box: string) => Promise<void>,
): Promise<number> {
  using client = await BoxClient.connect(invocation);
  return await eachBox(boxes, async (box) => {
    await change(client, box);
    return `${box}\n`;
  });
}
