import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  EndpointRecord,
  EndpointSpec,
  Network,
  NetworkAttachment,
  NetworkCapability,
  NetworkEndpoint,
} from '@a3s-box/core';
import { Namespace, Outside } from './namespaces.js';

export interface NetworkSuiteOptions {
  /** Names the provider in titles. */
  readonly name: string;
  /** Makes the provider under test. @param nameServers IP addresses of the resolvers that it has to use */
  create(nameServers: readonly string[]): Promise<Network>;
  /** What the provider says that it can, without `ping`, which is the machine's to allow. */
  readonly capabilities: readonly NetworkCapability[];
  /** Whether its endpoints count what goes over them. */
  readonly counts: boolean;
  /** Processes that serve an endpoint; all must be gone after detach. */
  processes(record: EndpointRecord): readonly number[];
  /** Limit of one case, ms. Default 30000. */
  readonly timeoutMs?: number;
}

/** What all cases share: the outside with its servers. */
export interface World {
  readonly outside: Outside;
  readonly network: Network;
  readonly tcpPort: number;
  readonly udpPort: number;
}

/** What one case works with; all of it is gone after it. */
export class Fixture implements AsyncDisposable {
  readonly signal: AbortSignal = new AbortController().signal;
  readonly #endpoints: NetworkEndpoint[] = [];
  readonly #guests: Namespace[] = [];
  readonly #root = mkdtempSync(join(tmpdir(), 'nw-'));
  #count = 0;

  constructor(readonly world: World) {}

  get network(): Network {
    return this.world.network;
  }

  /** A server of the outside, at an address of this family. */
  tcp(family: 4 | 6 = 4): { address: string; port: number } {
    return { address: this.address(family), port: this.world.tcpPort };
  }

  udp(family: 4 | 6 = 4): { address: string; port: number } {
    return { address: this.address(family), port: this.world.udpPort };
  }

  address(family: 4 | 6): string {
    const { ipv4, ipv6 } = this.world.outside;
    return family === 4 ? ipv4 : ipv6;
  }

  spec(changes: Partial<EndpointSpec> = {}): EndpointSpec {
    const boxId = `contract-${process.pid}-${++this.#count}`;
    return { boxId, directory: mkdtempSync(join(this.#root, 'e')), ports: [], hostAccess: [], ...changes };
  }

  async attach(changes: Partial<EndpointSpec> = {}): Promise<NetworkEndpoint> {
    return this.keep(await this.network.attach(this.spec(changes), { signal: this.signal }));
  }

  /** Has an endpoint detached at the end of the case. */
  keep(endpoint: NetworkEndpoint): NetworkEndpoint {
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** A guest whose card is connected to an endpoint. */
  async guest(endpoint: NetworkEndpoint): Promise<Namespace> {
    const guest = Namespace.make('guest');
    this.#guests.push(guest);
    await guest.connect(attachmentOf(endpoint), endpoint.guest);
    return guest;
  }

  /** An endpoint and its guest. */
  async connected(changes: Partial<EndpointSpec> = {}): Promise<{ endpoint: NetworkEndpoint; guest: Namespace }> {
    const endpoint = await this.attach(changes);
    return { endpoint, guest: await this.guest(endpoint) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const guest of this.#guests) await guest[Symbol.asyncDispose]();
    for (const endpoint of this.#endpoints.reverse()) await endpoint.detach();
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** How a VMM connects. @throws TypeError for a network that has backends carry it */
export function attachmentOf({ attachment }: NetworkEndpoint): NetworkAttachment {
  if (attachment === undefined) throw new TypeError('the endpoint has nothing to connect to');
  return attachment;
}
