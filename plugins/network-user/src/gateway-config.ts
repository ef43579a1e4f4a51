import { isAbsolute, join } from 'node:path';
import { isIP } from 'node:net';
import { BoxError, type EndpointSpec, type PublishedPort } from '@a3s-box/core';
import { GATEWAY, GUEST, HOST, macOf, MTU } from './addresses.js';

/** The document that the gateway reads: gateway/config.schema.json. */
export interface GatewayConfig {
  readonly version: 1;
  readonly socket: string;
  readonly counters: string;
  readonly mtu: number;
  readonly guest: { readonly mac: string; readonly ipv4: string; readonly ipv6: string };
  readonly gateway: { readonly mac: string; readonly ipv4: string; readonly ipv6: string };
  readonly hostAccess: { readonly ipv4: string; readonly ipv6: string; readonly ports: readonly number[] };
  readonly ports: readonly PublishedPort[];
  readonly nameServers: readonly string[];
  readonly identity?: { readonly uid: number; readonly gid: number };
}

const SOCKET = 'net.sock';
const COUNTERS = 'count.sock';
const SOCKET_PATH_BYTES = 107;
const MOST_PORTS = 1024;

/** @throws INVALID_ARGUMENT for a spec that cannot be served */
export function gatewayConfig(spec: EndpointSpec, nameServers: readonly string[]): GatewayConfig {
  const { boxId, directory, ports, hostAccess } = spec;
  const [socket, counters] = [join(directory, SOCKET), join(directory, COUNTERS)];
  if (!isAbsolute(directory)) throw invalid(`network directory ${directory} is not absolute`);
  if (Math.max(...[socket, counters].map((path) => Buffer.byteLength(path))) > SOCKET_PATH_BYTES) {
    throw invalid(`network directory ${directory} is too long for a socket in it`, 'choose a home with a shorter path');
  }
  if (boxId === '') throw invalid('the box id is empty');
  if (ports.length > MOST_PORTS) throw invalid(`${ports.length} published ports are more than ${MOST_PORTS}`);
  for (const port of ports) checkPort(port);
  checkDuplicates(ports);
  for (const port of hostAccess) {
    if (!isPort(port)) throw invalid(`host access to port ${port} is not possible`, 'give ports from 1 to 65535');
  }
  return {
    version: 1,
    socket,
    counters,
    mtu: MTU,
    guest: { mac: macOf(boxId), ...GUEST },
    gateway: GATEWAY,
    hostAccess: { ...HOST, ports: hostAccess },
    // Nothing but what the schema knows.
    ports: ports.map(({ hostAddress, hostPort, guestPort, protocol }) => ({
      ...{ hostAddress, hostPort, guestPort, protocol },
    })),
    nameServers,
  };
}

/** How a published port is shown: `tcp 127.0.0.1:8080`, `udp [::]:53`. */
export function showPort({ hostAddress, hostPort, protocol }: PublishedPort): string {
  return `${protocol} ${isIP(hostAddress) === 6 ? `[${hostAddress}]` : hostAddress}:${hostPort}`;
}

function checkPort(port: PublishedPort): void {
  const { hostAddress, hostPort, guestPort, protocol } = port;
  const family = isIP(hostAddress);
  if (family === 0 || hostAddress.includes('%') || /^::ffff:/i.test(hostAddress)) {
    throw invalid(`address "${hostAddress}" to publish a port on is not an IP address`);
  }
  if (hostPort !== 0 && !isPort(hostPort)) throw invalid(`host port ${hostPort} cannot be published`);
  if (!isPort(guestPort)) throw invalid(`port ${guestPort} of the box cannot be published`);
  if (!['tcp', 'udp'].includes(protocol)) throw invalid(`protocol "${String(protocol)}" cannot be published`);
}

function checkDuplicates(ports: readonly PublishedPort[]): void {
  const seen = new Set<string>();
  for (const port of ports.filter(({ hostPort }) => hostPort !== 0)) {
    const shown = showPort(port);
    if (seen.has(shown)) throw invalid(`port ${shown} is published twice`);
    seen.add(shown);
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function invalid(message: string, hint?: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
}
