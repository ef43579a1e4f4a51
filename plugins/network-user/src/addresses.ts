import { createHash } from 'node:crypto';
import type { GuestNetwork } from '@a3s-box/core';

/**
 * The addresses on the link between a guest and its gateway, the same for every box: nobody else is on it. The subnets
 * are small and unusual so that they hide as little as possible of the networks that a host is in (docs/networking.md).
 */
export const GATEWAY = { mac: '02:a3:5b:00:00:01', ipv4: '10.73.0.1', ipv6: 'fda3:5b0c:73::1' } as const;
export const GUEST = { ipv4: '10.73.0.2', ipv6: 'fda3:5b0c:73::2' } as const;
/** What stands for the host's loopback where access to it is given. */
export const HOST = { ipv4: '10.73.0.3', ipv6: 'fda3:5b0c:73::3' } as const;

/** Bytes of the largest IP packet. Nothing is offloaded on this link, so large packets make a fast stream. */
export const MTU = 65_520;

export const GUEST_NETWORK: GuestNetwork = {
  addresses: [`${GUEST.ipv4}/29`, `${GUEST.ipv6}/64`],
  gateways: [GATEWAY.ipv4, GATEWAY.ipv6],
  nameServers: [GATEWAY.ipv4, GATEWAY.ipv6],
  mtu: MTU,
};

/** The Ethernet address of a box's card: of its own, locally administered, the same at each start. */
export function macOf(boxId: string): string {
  const digest = createHash('sha256').update(boxId).digest('hex');
  return `06:${(digest.slice(0, 10).match(/../g) ?? []).join(':')}`;
}
