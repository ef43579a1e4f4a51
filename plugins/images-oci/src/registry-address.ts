import { BoxError } from '@a3s-box/core';
import type { Reference } from './reference.js';

/**
 * The address of a reference's registry. Names are spoken to over https; http is for registries on this machine, and
 * only when asked for.
 * @throws INVALID_ARGUMENT when plain http is asked for another machine
 */
export function registryAddress({ domain }: Reference, plainHttp: boolean): URL {
  const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
  if (!plainHttp) return new URL(`https://${host}/`);
  const address = new URL(`http://${host}/`);
  if (!isLoopback(address.hostname)) {
    throw new BoxError(
      'INVALID_ARGUMENT',
      `registry ${domain} is not on this machine, so it is not spoken to without TLS`,
      {
        hint: 'leave --plain-http away',
      },
    );
  }
  return address;
}

/** Whether a URL may be followed to: https, or http on this machine from http on this machine. */
export function mayFollow(from: URL, to: URL): boolean {
  if (to.username !== '' || to.password !== '') return false;
  return to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:' && isLoopback(to.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}
