import { BoxError } from '@a3s-box/core';
import { BoxClient, type BoxEvent } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { eventsFlags } from '../commands/events.js';
import { escapeControls } from '../escape-controls.js';
import { objectFormat } from '../format/object-format.js';
import type { Invocation } from '../invocation.js';
import { eventDocument, eventLine } from '../views/event-line.js';
import { Interruption } from './interruption.js';

/** `events`. */
export async function printEvents({ flags }: Input<typeof eventsFlags>, invocation: Invocation): Promise<number> {
  const print = printerOf(flags.format);
  const filters = flags.filter.map(filterOf);
  const { since, until } = flags;
  using interruption = new Interruption();
  return await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    const events = client.watching.events({
      filters,
      signal,
      ...(since !== undefined && { sinceNs: since }),
      ...(until !== undefined && { untilNs: until }),
    });
    for await (const event of events) {
      if (!process.stdout.write(print(event))) await drained(signal);
    }
    return 0;
  });
}

function printerOf(format: string | undefined): (event: BoxEvent) => string {
  if (format === undefined) return (event) => `${escapeControls(eventLine(event))}\n`;
  const print = objectFormat(format);
  return (event) => print(eventDocument(event));
}

function filterOf(text: string): { readonly name: string; readonly value: string } {
  const equals = text.indexOf('=');
  if (equals < 1) throw new BoxError('INVALID_ARGUMENT', `invalid filter '${text}'`, { hint: 'give NAME=VALUE' });
  return { name: text.slice(0, equals).trim().toLowerCase(), value: text.slice(equals + 1).trim() };
}

/** Waits for a reader that is slower than what happens. */
function drained(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      process.stdout.off('drain', done).off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    process.stdout.on('drain', done).on('close', done);
    signal.addEventListener('abort', done);
  });
}
