import { BoxError } from '@a3s-box/core';
import { BoxClient } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { startFlags } from '../commands/start.js';
import type { Invocation } from '../invocation.js';
import { exitOrLeft } from './attach.js';
import { eachBox, nameOf } from './each-box.js';
import { Foreground, requireTerminal } from './foreground.js';
import { Interruption } from './interruption.js';

type StartInput = Input<typeof startFlags>;

/** `start`: several boxes, or one whose streams are joined. */
export async function startBoxes(input: StartInput, invocation: Invocation): Promise<number> {
  const { flags, args } = input;
  if (flags.attach || flags.interactive) return await startJoined(input, invocation);
  using interruption = new Interruption();
  return await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    return await eachBox(args, async (box) => {
      await client.start(box, { signal });
      return `${box}\n`;
    });
  });
}

async function startJoined(
  { flags, args: [name = '', ...others] }: StartInput,
  invocation: Invocation,
): Promise<number> {
  if (others.length > 0) {
    throw new BoxError('INVALID_ARGUMENT', 'only one box can be started and joined', {
      hint: 'give one, or no -a and -i',
    });
  }
  const { timeline } = invocation;
  using client = await timeline.measure('connect', () => BoxClient.connect(invocation));
  const { id, spec } = await client.inspect(nameOf(name));
  const streams = { interactive: flags.interactive && spec.stdinOpen, tty: spec.terminal };
  requireTerminal(streams);
  using foreground = new Foreground({ ...flags, ...streams });
  const { signal } = foreground;
  return await foreground.guard(async () => {
    const { attachment } = await timeline.measure('start', () =>
      client.startAttached(id, { stdin: streams.interactive, signal }),
    );
    return exitOrLeft(await foreground.run({ client, process: { box: id }, timeline }, attachment), 0);
  });
}
