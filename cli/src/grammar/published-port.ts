import { isIP } from 'node:net';
import { BoxError } from '@a3s-box/core';
import type { PublishedPort } from '@a3s-box/core/client';

/** Where Docker listens when no address is given. */
const ANY_ADDRESS = '0.0.0.0';
/** `[address:][host port:]guest port`, an IPv6 address in brackets. */
const PORT = /^(?:(?:\[(?<v6>[^\]]*)\]|(?<address>[^:[\]]*)):(?=[^:]*:))?(?:(?<host>[^:]*):)?(?<guest>[^:]*)$/;

/**
 * Value of `--publish`: `[IP:][HOST]:GUEST[/tcp|/udp]` or `GUEST`. Without a host port one is chosen (0).
 * @throws INVALID_ARGUMENT, UNSUPPORTED for a range
 */
export function parsePublishedPort(value: string): PublishedPort {
  const slash = value.indexOf('/');
  const [ends, protocol] = slash < 0 ? [value, 'tcp'] : [value.slice(0, slash), value.slice(slash + 1)];
  if (value.includes('=')) throw wrong('give it as [IP:]HOST:GUEST[/PROTOCOL]; the long form is not supported');
  const { v6, address = v6, host = '', guest = '' } = PORT.exec(ends)?.groups ?? {};
  if (guest === '') throw wrong('no port of the box is given');
  if (address !== undefined && address !== '' && isIP(address) === 0) throw wrong(`invalid IP address: ${address}`);
  if (v6 !== undefined && isIP(v6) !== 6) throw wrong(`invalid IPv6 address: ${v6}`);
  return {
    hostAddress: address || ANY_ADDRESS,
    hostPort: host === '' ? 0 : portNumber(host, 'port of the host', 0),
    guestPort: portNumber(guest, 'port of the box', 1),
    protocol: protocolOf(protocol),
  };
}

function portNumber(text: string, what: string, least: number): number {
  if (/^\d+-\d+$/.test(text))
    throw new BoxError('UNSUPPORTED', `ranges of ports such as ${text} are not supported yet`);
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port >= least && port <= 65_535) return port;
  throw wrong(`invalid ${what}: ${text}`);
}

function protocolOf(text: string): PublishedPort['protocol'] {
  const protocol = text.toLowerCase();
  if (protocol === 'tcp' || protocol === 'udp') return protocol;
  throw wrong(`invalid protocol: ${text}`);
}

function wrong(message: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message);
}
