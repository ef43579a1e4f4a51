import { closeSync, openSync } from 'node:fs';
import { BoxError } from '@a3s-box/core';
import { BoxClient, isBoxError, type Attachment, type BoxSpec, type ExitStatus, type Span } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { runFlags } from '../commands/run.js';
import { environmentOf } from '../grammar/environment.js';
import type { Invocation } from '../invocation.js';
import type { Timeline } from '../timeline.js';
import { exitCodeOf } from './exit-code.js';
import { Foreground, requireTerminal } from './foreground.js';
import { terminalSize } from './terminal.js';
import { writeTrace } from './trace-file.js';

/** `run`: create, join, start, pump, and end as the workload did. */
export async function runBox(input: Input<typeof runFlags>, invocation: Invocation): Promise<number> {
  const { flags } = input;
  const { timeline } = invocation;
  requireTerminal(flags);
  const spec = specOf(input, invocation);
  const trace = flags.trace === undefined ? undefined : openTrace(flags.trace);
  const recorded: Span[] = [];
  try {
    using foreground = new Foreground(flags);
    return await foreground.guard(() => runWith(foreground, spec, { invocation, recorded, flags }));
  } finally {
    if (trace !== undefined) {
      writeTrace(trace, timeline.phases, recorded);
      closeSync(trace);
    }
  }
}

interface Run {
  readonly flags: Input<typeof runFlags>['flags'];
  readonly invocation: Invocation;
  /** Takes the supervisor's part of the trace, when one is asked for. */
  readonly recorded: Span[];
}

async function runWith(foreground: Foreground, spec: BoxSpec, { flags, invocation, recorded }: Run): Promise<number> {
  const { timeline } = invocation;
  const { signal } = foreground;
  using client = await timeline.measure('connect', () => BoxClient.connect({ ...invocation, signal }));
  const { id, notices } = await timeline.measure('create', () => client.create(spec, { signal }));
  for (const notice of notices) process.stderr.write(`a3s-box: ${notice}\n`);
  const record = async () => {
    if (flags.trace !== undefined) recorded.splice(0, Infinity, ...(await client.trace(id)));
  };
  const status = await foreground.run({
    client,
    process: { box: id },
    timeline,
    join: () => joined(client, id, flags, signal),
    start: async () => {
      await client.start(id, { signal });
      await record().catch(ignoreRemoved);
    },
  });
  // Once more, now that its end is known too; where the box was removed with it, what is there has to do.
  await record().catch(ignoreRemoved);
  if (!recorded.some((span) => span.process === 'workload')) recorded.push(workloadSpan(timeline, status));
  return exitCodeOf(status);
}

/** From here on the supervisor cleans up when this command goes; before, the command has to. */
async function joined(client: BoxClient, id: string, flags: Run['flags'], signal: AbortSignal): Promise<Attachment> {
  try {
    return await client.attach(id, { stdin: flags.interactive, owner: true, signal });
  } catch (error) {
    if (flags.rm) await client.remove(id, { force: true });
    throw error;
  }
}

/** For a box that was removed before its end could be asked for. */
function workloadSpan({ phases }: Timeline, { timeNs }: ExitStatus): Span {
  const startNs = phases.findLast(({ name }) => name === 'start')?.endNs ?? timeNs;
  // The clocks of host and guest may differ by a little.
  return { name: 'workload', process: 'workload', startNs, endNs: timeNs > startNs ? timeNs : startNs };
}

function ignoreRemoved(error: unknown): void {
  if (!isBoxError(error) || error.code !== 'NOT_FOUND') throw error;
}

function specOf({ flags, args }: Input<typeof runFlags>, { environment }: Invocation): BoxSpec {
  const [image = '', ...command] = args;
  const {
    name,
    workdir,
    user,
    hostname,
    cpus,
    memory,
    timeout,
    backend,
    entrypoint,
    'stop-signal': stopSignal,
  } = flags;
  const size = flags.tty ? terminalSize() : undefined;
  return {
    image,
    ...(command.length > 0 && { command }),
    ...(entrypoint !== undefined && { entrypoint: entrypoint === '' ? [] : [entrypoint] }),
    environment: environmentOf(flags['env-file'], flags.env, environment),
    terminal: flags.tty,
    ...(size && { terminalSize: size }),
    stdinOpen: flags.interactive,
    autoRemove: flags.rm,
    labels: Object.fromEntries(flags.label),
    ...(name !== undefined && { name }),
    ...(workdir !== undefined && { workingDirectory: workdir }),
    ...(user !== undefined && { user }),
    ...(hostname !== undefined && { hostname }),
    ...(cpus !== undefined && { nanoCpus: cpus }),
    ...(memory !== undefined && { memoryBytes: memory }),
    ...(timeout !== undefined && { timeoutMs: timeout }),
    ...(backend !== undefined && { backend }),
    ...(stopSignal !== undefined && { stopSignal }),
  };
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
