import { BoxError } from '@a3s-box/core';
import type { RestartPolicy } from '@a3s-box/core/client';

const KNOWN = 'there are no, on-failure[:TIMES], always and unless-stopped';

/** `no`, `on-failure`, `on-failure:3`, `always`, `unless-stopped`. @throws INVALID_ARGUMENT */
export function parseRestartPolicy(value: string): RestartPolicy | 'no' {
  const [name = '', times, ...more] = value.split(':');
  if (more.length > 0) throw wrong('invalid restart policy format');
  if (name === 'on-failure') {
    if (times === undefined) return { name };
    if (!/^\d{1,9}$/.test(times)) throw wrong('the number of times must be a whole number');
    return Number(times) === 0 ? { name } : { name, maximumRetries: Number(times) };
  }
  if (times !== undefined) throw wrong(`a number of times goes with on-failure only`);
  if (name === 'no' || name === '') return 'no';
  if (name === 'always' || name === 'unless-stopped') return { name };
  throw wrong(KNOWN);
}

function wrong(message: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message);
}
