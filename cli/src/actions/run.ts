import { closeSync, openSync } from 'node:fs';
import { BoxError } from '@a3s-box/core';
import {
  BoxClient,
  isBoxError,
  type BoxSpec,
  type CreatedBox,
  type ExitStatus,
  type ImagePolicy,
  type RunOptions,
  type Span,
  withImage,
} from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { runFlags } from '../commands/run.js';
import type { Invocation } from '../invocation.js';
import type { Timeline } from '../timeline.js';
import { exitOrLeft } from './attach.js';
import { boxSpecOf } from './box-spec.js';
import { dockerCredentials } from './docker-credentials.js';
import { Foreground, requireTerminal } from './foreground.js';
import { IdFile } from './id-file.js';
import { imagePolicyOf } from './image-policy.js';
import { writeTrace } from './trace-file.js';

/** `run`: a new box, left to itself with `--detach`, else lent this process's streams to its end. */
export async function runBox(input: Input<typeof runFlags>, invocation: Invocation): Promise<number> {
  const { flags } = input;
  const { timeline } = invocation;
  if (!flags.detach) requireTerminal(flags);
  const asked = boxSpecOf(input, invocation);
  // Who leaves it at once does not end its stdin either.
  const spec = flags.detach && asked.stdinOpen ? { ...asked, stdinKept: true } : asked;
  const trace = flags.trace === undefined ? undefined : openTrace(flags.trace);
  const recorded: Span[] = [];
  try {
    using foreground = new Foreground(flags);
    const { signal } = foreground;
    return await foreground.guard(async () => {
      using client = await timeline.measure('connect', () => BoxClient.connect({ ...invocation, signal }));
      using idFile = new IdFile(flags.cidfile);
      const { find: credentials } = dockerCredentials(invocation);
      const policy = { ...imagePolicyOf(flags, spec, signal), credentials };
      const run: Run = { client, spec, policy, idFile, foreground, timeline, ...(trace !== undefined && { recorded }) };
      return flags.detach ? await leave(run) : await follow(run);
    });
  } finally {
    if (trace !== undefined) {
      writeTrace(trace, timeline.phases, recorded);
      closeSync(trace);
    }
  }
}

interface Run {
  readonly client: BoxClient;
  readonly spec: BoxSpec;
  readonly policy: ImagePolicy;
  readonly idFile: IdFile;
  readonly foreground: Foreground;
  readonly timeline: Timeline;
  /** Takes the supervisor's part of the trace, when one is asked for. */
  readonly recorded?: Span[];
}

async function leave(run: Run): Promise<number> {
  const { client, spec } = run;
  const { id } = await started(run, (options) => client.runDetached(spec, options));
  process.stdout.write(`${id}\n`);
  await record(run, id);
  return 0;
}

async function follow(run: Run): Promise<number> {
  const { client, spec, foreground, timeline, recorded } = run;
  const { box, attachment } = await started(run, (options) => client.run(spec, options));
  const ended = foreground.run({ client, process: { box: box.id }, timeline }, attachment);
  // While it runs, because a box that is removed at its end takes its part of the trace along.
  const [status] = await Promise.all([ended, record(run, box.id)]);
  await record(run, box.id);
  const traced = recorded?.some((span) => span.process === 'workload') ?? true;
  if (!traced && status) recorded?.push(workloadSpan(timeline, status));
  return exitOrLeft(status, 0);
}

/** Starts the box, and measures its two phases. */
async function started<T>(run: Run, start: (options: RunOptions) => Promise<T>): Promise<T> {
  const { client, spec, policy, idFile, foreground, timeline } = run;
  const created = Promise.withResolvers<CreatedBox>();
  const onCreated = (box: CreatedBox): void => {
    idFile.write(box.id);
    created.resolve(box);
  };
  const running = withImage(client.images, spec, policy, () => start({ signal: foreground.signal, onCreated }));
  const { notices } = await timeline.measure('create', () =>
    // Nothing comes of the creation when the start fails first.
    Promise.race([created.promise, running.then(() => created.promise)]),
  );
  for (const notice of notices) process.stderr.write(`a3s-box: ${notice}\n`);
  return await timeline.measure('start', () => running);
}

/** What there is of the supervisor's part of the trace. */
async function record({ client, recorded }: Run, id: string): Promise<void> {
  if (!recorded) return;
  try {
    recorded.splice(0, Infinity, ...(await client.trace(id)));
  } catch (error) {
    // Removed at its end: what was there before has to do.
    if (!isBoxError(error) || error.code !== 'NOT_FOUND') throw error;
  }
}

/** For a box that was removed before its end could be asked for. */
function workloadSpan({ phases }: Timeline, { timeNs }: ExitStatus): Span {
  const startNs = phases.findLast(({ name }) => name === 'start')?.endNs ?? timeNs;
  // The clocks of host and guest may differ by a little.
  return { name: 'workload', process: 'workload', startNs, endNs: timeNs > startNs ? timeNs : startNs };
}

/** Opened before anything else is done, so that a run is not made in vain. */
function openTrace(file: string): number {
  try {
    return openSync(file, 'w');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new BoxError('INVALID_ARGUMENT', `trace file ${file} cannot be written: ${code}`, { cause });
  }
}
