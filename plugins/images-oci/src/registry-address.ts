import { BoxError } from '@a3s-box/core';
import { quoted } from './quoted.js';
import type { Reference } from './reference.js';

/**
 * The address of a reference's registry. Names are spoken to over https; http is for registries on this machine, and
 * only when asked for.
 * @throws INVALID_ARGUMENT when plain http is asked for another machine, INVALID_REFERENCE when there can be no address
 */
export function registryAddress({ domain }: Reference, plainHttp: boolean): URL {
  const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
  const address = addressOf(plainHttp ? 'http' : 'https', host);
  if (!plainHttp) return address;
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

/**
 * URLs take `1.2` or `0x7f.1` for numbers of an IPv4 address, and refuse what a reference's grammar allows, such as the
 * port 99999. What is spoken to is the host that the reference names, or none.
 */
function addressOf(scheme: string, host: string): URL {
  const text = `${scheme}://${host}/`;
  const address = URL.canParse(text) ? new URL(text) : undefined;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  if (address !== undefined && (address.hostname === name || name.startsWith('['))) return address;
  throw new BoxError('INVALID_REFERENCE', `registry ${quoted(host)} is no name or address of a host`, {
    hint: 'write it as host, address or [IPv6 address], with a port up to 65535 where one is needed',
  });
}

/** Whether a URL may be followed to: https, or http on this machine from http on this machine. */
export function mayFollow(from: URL, to: URL): boolean {
  if (to.username !== '' || to.password !== '') return false;
  return to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:' && isLoopback(to.hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}
