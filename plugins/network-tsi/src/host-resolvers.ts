import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { BoxError } from '@a3s-box/core';

/** resolv.conf(5) looks at no more. */
const MOST = 3;

/** The host's resolvers, in their order; none where the host has none. @param file of resolv.conf(5) */
export function hostResolvers(file = '/etc/resolv.conf'): string[] {
  const found = [...readOrEmpty(file).matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address = '']) => address);
  return found.filter((address) => isIP(address) !== 0 && !address.includes('%')).slice(0, MOST);
}

/** @throws INVALID_ARGUMENT when one of them is no IP address */
export function givenResolvers(addresses: readonly string[]): readonly string[] {
  const wrong = addresses.find((address) => isIP(address) === 0);
  if (wrong === undefined) return addresses;
  throw new BoxError('INVALID_ARGUMENT', `name server "${wrong}" is not an IP address`, {
    hint: 'mend the setting nameServers of @a3s-box/network-tsi',
  });
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
