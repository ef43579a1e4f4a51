import { readFileSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { BoxError } from '@a3s-box/core';

const RESOLV_CONF = '/etc/resolv.conf';
const MOST = 8;
const DNS_PORT = 53;

/** The host's resolvers as `ADDRESS:53`, in their order; none where the host has none. @param file of resolv.conf(5) */
export function hostNameServers(file = RESOLV_CONF): string[] {
  const lines = readOrEmpty(file).split('\n');
  const addresses = lines.map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '').filter((text) => text !== '');
  return addresses.flatMap((address) => socketAddress(address) ?? []).slice(0, MOST);
}

/** @throws INVALID_ARGUMENT when one of them is no IP address */
export function givenNameServers(addresses: readonly string[]): string[] {
  return addresses.map((address) => {
    const server = socketAddress(address);
    if (server !== undefined) return server;
    throw new BoxError('INVALID_ARGUMENT', `name server "${address}" is not an IP address`, {
      hint: 'mend the setting nameServers of @a3s-box/network-user',
    });
  });
}

function socketAddress(text: string): string | undefined {
  const [address = '', zone] = text.split('%');
  if (isIP(address) === 0) return undefined;
  if (!isIPv6(address)) return zone === undefined ? `${address}:${DNS_PORT}` : undefined;
  if (zone === undefined) return `[${address}]:${DNS_PORT}`;
  const scope = /^[0-9]+$/.test(zone) ? Number(zone) : scopeOf(zone);
  return scope === undefined ? undefined : `[${address}%${scope}]:${DNS_PORT}`;
}

function scopeOf(name: string): number | undefined {
  return networkInterfaces()[name]?.find((entry) => entry.family === 'IPv6' && entry.scopeid > 0)?.scopeid;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
