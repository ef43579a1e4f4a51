import { isIPv6 } from 'node:net';
import type { PublishedPort } from '@a3s-box/core/client';

/** `0.0.0.0:8080`, `[::1]:8080`. */
export function hostEndOf({ hostAddress, hostPort }: PublishedPort): string {
  return `${isIPv6(hostAddress) ? `[${hostAddress}]` : hostAddress}:${hostPort}`;
}

/** `80/tcp`. */
export function guestEndOf({ guestPort, protocol }: PublishedPort): string {
  return `${guestPort}/${protocol}`;
}

/** `0.0.0.0:8080->80/tcp, [::1]:53->53/udp`. */
export function portsText(ports: readonly PublishedPort[]): string {
  return sortedPorts(ports)
    .map((port) => `${hostEndOf(port)}->${guestEndOf(port)}`)
    .join(', ');
}

export function sortedPorts(ports: readonly PublishedPort[]): PublishedPort[] {
  const order = (a: PublishedPort, b: PublishedPort) =>
    a.guestPort - b.guestPort ||
    a.protocol.localeCompare(b.protocol) ||
    a.hostAddress.localeCompare(b.hostAddress) ||
    a.hostPort - b.hostPort;
  return ports.toSorted(order);
}

/** Ports by their end in the box, as Docker's API has them. @param hostPortOf the port of the host, as text */
export function portMap(
  ports: readonly PublishedPort[],
  hostPortOf: (port: PublishedPort) => string = ({ hostPort }) => String(hostPort),
): ReadonlyMap<string, readonly { readonly HostIp: string; readonly HostPort: string }[]> {
  const groups = Map.groupBy(sortedPorts(ports), guestEndOf);
  return new Map(
    [...groups].map(([end, group]) => [
      end,
      group.map((port) => ({ HostIp: port.hostAddress, HostPort: hostPortOf(port) })),
    ]),
  );
}
