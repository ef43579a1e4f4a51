/** Follows a mocha worker (test/support/mocha-worker.ts): its tests become results. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { TestEvent } from '../../test/support/test-event.ts';
import { ended, killOnAbort } from './child.ts';
import type { Results } from './results.ts';

/** How much of a worker's own output is kept for messages, characters. */
const OUTPUT_LIMIT = 64 * 1024;
const OUTPUT_GRACE_MS = 500;

export interface WorkerStreams {
  /** What the worker reports. */
  readonly events: Readable;
  readonly output: readonly (Readable | null)[];
}

export interface WorkerScope {
  readonly lane: string;
  /** Stands for the file where an event names none. */
  readonly label: string;
  /** Goes before each title. */
  readonly prefix?: string;
  readonly results: Results;
  /** Ends the worker. */
  readonly signal: AbortSignal;
}

/** Adds what the worker reports. @returns what went wrong with the process as a whole, if anything did. */
export async function followWorker(
  child: ChildProcess,
  streams: WorkerStreams,
  scope: WorkerScope,
): Promise<string | undefined> {
  let output = '';
  for (const stream of streams.output) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-OUTPUT_LIMIT)));
  }
  using _ = killOnAbort(child, scope.signal);
  let complete = false;
  const lines = createInterface({ input: streams.events });
  lines.on('line', (line) => {
    const event = JSON.parse(line) as TestEvent;
    if (event.type === 'end') complete = true;
    addEvent(scope, event);
  });
  const linesClosed = once(lines, 'close');
  const closed = once(child, 'close');
  const end = await ended(child);
  await linesClosed;
  // Something that was left behind may hold the output open.
  await Promise.race([closed, setTimeout(OUTPUT_GRACE_MS)]);
  for (const stream of streams.output) stream?.destroy();
  if (complete && (end === undefined || scope.results.count('failed') > 0)) return undefined;
  return `the process ended with ${end ?? 'status 0 before its tests did'}; its output:\n${output}`;
}

function addEvent({ results, lane, label, prefix = '' }: WorkerScope, event: TestEvent): void {
  if (event.type === 'begin' || event.type === 'end') return;
  const base = { lane, file: event.file || label, title: `${prefix}${event.title}` };
  if (event.type === 'pass') results.add({ ...base, outcome: 'passed', durationMs: event.durationMs });
  else if (event.type === 'fail') results.add({ ...base, outcome: 'failed', durationMs: 0, detail: event.error });
  else results.addSkip({ ...base, durationMs: 0 }, event.reason);
}
