import { BoxError } from '@a3s-box/core';
import { BoxClient, type BoxRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { Invocation } from '../invocation.js';
import { guestEndOf, hostEndOf, sortedPorts } from '../views/port-text.js';
import { eachBox } from './each-box.js';

/** `port`. */
export async function showPorts({ args }: Input<Record<never, never>>, invocation: Invocation): Promise<number> {
  const [box = '', asked] = args;
  const end = asked === undefined ? undefined : guestEnd(asked);
  using client = await BoxClient.connect(invocation);
  return await eachBox([box], async (name) => portLines(await client.inspect(name), end));
}

/** @param end `80/tcp`, or undefined for all. @throws NOT_FOUND when the box does not publish it */
export function portLines({ name, ports }: BoxRecord, end?: string): string {
  if (end === undefined) {
    return sortedPorts(ports)
      .map((port) => `${guestEndOf(port)} -> ${hostEndOf(port)}\n`)
      .join('');
  }
  const fitting = sortedPorts(ports).filter((port) => guestEndOf(port) === end);
  if (fitting.length === 0) throw new BoxError('NOT_FOUND', `box ${name} does not publish port ${end}`);
  return fitting.map((port) => `${hostEndOf(port)}\n`).join('');
}

/** @throws INVALID_ARGUMENT */
function guestEnd(text: string): string {
  const match = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  if (!match || Number(match[1]) > 65_535) {
    throw new BoxError('INVALID_ARGUMENT', `invalid port: ${text}`, { hint: 'give PORT or PORT/PROTOCOL, as 80/tcp' });
  }
  return `${Number(match[1])}/${match[2] ?? 'tcp'}`;
}
