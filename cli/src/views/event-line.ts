import type { BoxEvent } from '@a3s-box/core/client';
import { sortedEntries } from '../format/go-values.js';

const NS_PER_S = 1_000_000_000n;

/** As Docker prints an event: time, type, action, id, attributes by name. */
export function eventLine({ timeNs, type, action, actor }: BoxEvent): string {
  const attributes = sortedEntries(attributesOf(actor)).map(([name, value]) => `${name}=${String(value)}`);
  const told = attributes.length > 0 ? ` (${attributes.join(', ')})` : '';
  return `${timeText(timeNs)} ${type} ${action} ${actor.id}${told}`;
}

/** Fields of templates and of JSON: Docker's, whose JSON has some of them in lower case. */
export function eventDocument({ timeNs, type, action, actor }: BoxEvent): object {
  const attributes = attributesOf(actor);
  const time = Number(timeNs / NS_PER_S);
  const from = attributes.get('image');
  const common = { Type: type, Action: action, Actor: { ID: actor.id, Attributes: attributes } };
  const legacy = type === 'container' ? { status: action, id: actor.id, ...(from !== undefined && { from }) } : {};
  const document = { ...legacy, ...common, scope: 'local', time, timeNano: timeNs };
  return {
    ...common,
    Scope: 'local',
    Time: time,
    TimeNano: timeNs,
    Status: type === 'container' ? action : '',
    ID: actor.id,
    From: from ?? '',
    toJSON: () => document,
  };
}

function attributesOf({ attributes }: BoxEvent['actor']): Map<string, string> {
  return new Map(Object.entries(attributes));
}

/** Local time with its zone, as `docker events` prints it. */
function timeText(timeNs: bigint): string {
  const date = new Date(Number(timeNs / 1_000_000n));
  const minutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + minutes * 60_000).toISOString().slice(0, 19);
  const fraction = String(timeNs % NS_PER_S).padStart(9, '0');
  const two = (value: number) => String(value).padStart(2, '0');
  const offset = `${minutes < 0 ? '-' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
  return `${local}.${fraction}${minutes === 0 ? 'Z' : offset}`;
}
