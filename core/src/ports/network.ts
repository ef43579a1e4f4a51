import { definePort } from './port.js';
import type { HypervisorCapability, NetworkAttachment } from './hypervisor.js';
import type { Operation } from './operation.js';

/**
 * Connects boxes to networks. Concurrency: calls for different boxes may run at the same time, those for one box take
 * turns. Ownership: an endpoint and all that serves it belong to the box from `attach` to `detach`; the caller writes
 * the ledger entry before `attach`.
 *
 * A guest never reaches the host's loopback or link-local metadata addresses unless {@link EndpointSpec.hostAccess}
 * asks for it.
 */
export interface Network {
  /** Name that users give to `--network`, for example `default`. */
  readonly name: string;

  /** What it needs of a box's backend: a network card to connect, or a backend that carries the network itself (TSI). */
  readonly carrier: Extract<HypervisorCapability, 'network-card' | 'tsi'>;

  /** Why it cannot work on this machine, as far as that is known at once, without trying. Absent: it may. */
  readonly obstacle?: string | undefined;

  /** Says whether this kind of network works here and why. Never throws for an unusable machine. */
  probe(operation: Operation): Promise<NetworkProbe>;

  /**
   * Makes a box's end of the network.
   * @throws PORT_IN_USE before anything is made, when a published port is taken
   * @throws NETWORK_FAILED, INVALID_ARGUMENT, UNSUPPORTED
   */
  attach(spec: EndpointSpec, operation: Operation): Promise<NetworkEndpoint>;

  /** Takes over an endpoint that an earlier process made. @throws NOT_FOUND */
  adopt(record: EndpointRecord, operation: Operation): Promise<NetworkEndpoint>;
}

export const NetworkPort = definePort<Network>('a3s-box.network.v1');

export type NetworkCapability =
  /** ICMP echo to the outside. */
  | 'ping'
  | 'ipv6'
  | 'udp'
  /** Boxes of one network reach each other. */
  | 'peers';

export interface NetworkProbe {
  readonly usable: boolean;
  /** One sentence: why, and what would change that. */
  readonly reason: string;
  readonly capabilities: ReadonlySet<NetworkCapability>;
}

export interface PublishedPort {
  /** Address to listen on, for example `127.0.0.1`, `0.0.0.0`, `::`. */
  readonly hostAddress: string;
  /** 1 to 65535; 0 chooses one. */
  readonly hostPort: number;
  readonly guestPort: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface EndpointSpec {
  readonly boxId: string;
  /** Absolute path of the box's run directory, for sockets. */
  readonly directory: string;
  readonly ports: readonly PublishedPort[];
  /** Ports of the host's loopback that the guest may reach as `host.a3s.internal`; empty for none. */
  readonly hostAccess: readonly number[];
}

/** What the guest is told about its end. */
export interface GuestNetwork {
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
  readonly nameServers: readonly string[];
  readonly mtu: number;
}

/** Bytes of Ethernet frames between a guest's card and its network, since the endpoint was made. */
export interface Traffic {
  /** To the guest. */
  readonly receivedBytes: bigint;
  /** By the guest, whatever became of it. */
  readonly sentBytes: bigint;
}

export interface NetworkEndpoint {
  /** How the VMM connects; absent when the backend carries the network itself (TSI). */
  readonly attachment?: NetworkAttachment;
  readonly guest: GuestNetwork;
  /** With the host ports that were chosen. */
  readonly ports: readonly PublishedPort[];
  readonly record: EndpointRecord;
  /** Resolves when the endpoint stopped working by itself, with the reason. Never rejects; stays pending after `detach`. */
  readonly failed: Promise<string>;
  /**
   * What went over it, as the host counted it: a guest cannot take anything from these figures, and they go on over
   * adoptions. Undefined where nobody counts.
   * @throws NETWORK_FAILED when the figures cannot be had, after `detach` for one; CANCELLED when the signal fires
   */
  traffic(operation: Operation): Promise<Traffic | undefined>;
  /** Takes the endpoint away. Idempotent. */
  detach(): Promise<void>;
  /** Frees what this handle holds without touching the endpoint. Idempotent. */
  close(): Promise<void>;
}

/** An endpoint on paper: plain JSON for a database. */
export interface EndpointRecord {
  readonly network: string;
  readonly version: number;
  readonly boxId: string;
  readonly details: Readonly<Record<string, unknown>>;
}
