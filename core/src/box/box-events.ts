/** What is told of a box's changes. */
import { boundedLabels, commandText, type NewEvent } from '../events/event.js';
import type { RunRecord, StoredBox } from '../state/box-table.js';
import type { Box, BoxChange, BoxExit, BoxMarks, BoxState } from './box.js';

const NS_PER_S = 1_000_000_000n;

type Told = Pick<Box, 'id' | 'name' | 'spec'>;
type Attributes = Readonly<Record<string, string>>;

/** An event of a box. */
export function tellOf({ id, name, spec }: Told, action: string, attributes: Attributes = {}): NewEvent {
  return {
    type: 'container',
    action,
    actor: id,
    attributes: { ...boundedLabels(spec.labels), ...attributes, image: spec.image, name },
  };
}

/** An event of an exec. */
export function tellOfExec(
  box: Told,
  exec: { readonly id: string; readonly command: readonly string[] },
  action: 'exec_create' | 'exec_start',
): NewEvent {
  return tellOf(box, `${action}: ${commandText(exec.command)}`, { execID: exec.id });
}

interface NextState {
  readonly state: BoxState;
  readonly marks: BoxMarks;
}

/** Of the way to another state. @param recorded the state that the record has */
export function stateEvents(
  box: Box,
  recorded: StoredBox['state'] | undefined,
  { state, marks }: NextState,
): NewEvent[] {
  switch (state.kind) {
    case 'running':
      if (recorded === 'starting') return startEvents(box, state.run);
      return box.marks.pausedByUser && !marks.pausedByUser ? [tellOf(box, 'unpause')] : [];
    case 'stopping':
      return dieEvents(box, state.exit, state.run.startedNs);
    case 'exited':
    case 'dead':
      return endEvents(box, recorded, state.exit);
    case 'created':
    case 'starting':
    case 'paused':
      return [];
  }
}

/** Of an end, as far as it is not recorded yet, and of what was freed. */
export function endEvents(box: Box, recorded: StoredBox['state'] | undefined, exit: BoxExit | undefined): NewEvent[] {
  if (recorded !== 'running' && recorded !== 'stopping') return [];
  const run = 'run' in box.state ? box.state.run : undefined;
  const died = recorded === 'running' && exit ? dieEvents(box, exit, run?.startedNs ?? exit.timeNs) : [];
  return [...died, ...networkEvents(box, run, 'disconnect'), ...volumeEvents(box, 'unmount')];
}

/** Of what changes beside the state. */
export function changeEvents(box: Box, { name, spec, marks, health }: BoxChange): NewEvent[] {
  const events: NewEvent[] = [];
  const { id } = box;
  if (name !== undefined) events.push(tellOf({ id, name, spec: box.spec }, 'rename', { oldName: box.name }));
  else if (spec) events.push(tellOf({ id, name: box.name, spec }, 'update'));
  if (marks && marks.pausedByUser !== box.marks.pausedByUser) {
    events.push(tellOf(box, marks.pausedByUser ? 'pause' : 'unpause'));
  }
  const status = health?.status;
  if (status && status !== 'starting' && status !== box.health?.status) {
    events.push(tellOf(box, `health_status: ${status}`));
  }
  return events;
}

function startEvents(box: Box, run: RunRecord): NewEvent[] {
  return [
    ...volumeEvents(box, 'mount'),
    ...networkEvents(box, run, 'connect'),
    tellOf(box, 'start'),
    ...(box.asked === 'restart' ? [tellOf(box, 'restart')] : []),
  ];
}

function dieEvents(box: Box, exit: BoxExit, startedNs: bigint): NewEvent[] {
  const seconds = exit.timeNs > startedNs ? (exit.timeNs - startedNs) / NS_PER_S : 0n;
  return [
    ...(exit.outOfMemory ? [tellOf(box, 'oom')] : []),
    tellOf(box, 'die', {
      exitCode: exit.known ? String(exit.code) : 'unknown',
      execDuration: String(seconds),
      ...(exit.reason !== '' && { reason: exit.reason }),
    }),
    ...(box.asked === 'stop' ? [tellOf(box, 'stop')] : []),
  ];
}

function networkEvents({ id }: Box, run: RunRecord | undefined, action: 'connect' | 'disconnect'): NewEvent[] {
  const name = run?.network?.endpoint.network;
  if (name === undefined) return [];
  return [{ type: 'network', action, actor: name, attributes: { container: id, name, type: name } }];
}

function volumeEvents({ id, spec }: Box, action: 'mount' | 'unmount'): NewEvent[] {
  return (spec.volumes ?? [])
    .filter(({ kind }) => kind === 'volume')
    .map(({ source, target, readOnly }) => ({
      type: 'volume',
      action,
      actor: source,
      attributes: {
        container: id,
        driver: 'local',
        ...(action === 'mount' && { destination: target, 'read/write': String(!readOnly) }),
      },
    }));
}
