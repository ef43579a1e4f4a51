import { existsSync } from 'node:fs';
import {
  BoxError,
  type EndpointRecord,
  type EndpointSpec,
  type Network,
  type NetworkEndpoint,
  type Operation,
  type Traffic,
} from '@a3s-box/core';

/** What a provider may get wrong, and a case of the kit that must fail for it. */
export const FAULTS = {
  'is not usable': 'says whether, why, and what it can',
  'declares what it cannot do': 'says whether, why, and what it can',
  'gives all boxes one card': 'gives two boxes cards of their own',
  'does not tell the port that it chose': 'chooses a host port for 0',
  'leaves out a port that is taken': 'refuses a port that is taken, names it, and makes nothing',
  'takes any address': 'refuses ports and addresses that cannot be',
  'does not look at the signal': 'cancelled at any moment leaves nothing',
  'leaves its process': 'leaves nothing after detach, which may be called twice',
  'tells a detach as a failure': 'leaves nothing after detach, which may be called twice',
  'does not see its own failure': 'tells when it has failed by itself',
  'ends with its handle': 'takes over an endpoint that goes on working',
  'does not count what the guest sends': 'counts what goes over it, and goes on when it is taken over',
  'trusts the process id alone': 'does not find what is gone, nor another process with its id',
  'adopts any record': 'refuses a record of another network or version',
  'has no resolver': 'are resolved by every name server that the guest is told',
  'gives the host away': 'is not there unless asked for',
  'publishes nothing': 'on 127.0.0.1 lead TCP to the guest',
} as const;
export type Fault = keyof typeof FAULTS;

const made: NetworkEndpoint[] = [];

/** A provider that keeps the contract but for one fault. */
export class FaultyNetwork implements Network {
  readonly name: string;
  readonly carrier: Network['carrier'];
  readonly inner: Network;
  readonly fault: Fault | undefined;

  constructor(inner: Network, fault: Fault | undefined) {
    this.name = inner.name;
    this.carrier = inner.carrier;
    this.inner = inner;
    this.fault = fault;
  }

  async probe(operation: Operation): ReturnType<Network['probe']> {
    const probe = await this.inner.probe(operation);
    if (this.fault === 'is not usable') return { ...probe, usable: false };
    if (this.fault !== 'declares what it cannot do') return probe;
    return { ...probe, capabilities: new Set([...probe.capabilities, 'peers']) };
  }

  async attach(spec: EndpointSpec, operation: Operation): Promise<NetworkEndpoint> {
    const never = { signal: new AbortController().signal };
    const given = this.fault === 'does not look at the signal' ? never : operation;
    return this.#faulty(await this.#attach(this.#changed(spec), given));
  }

  async adopt(record: EndpointRecord, operation: Operation): Promise<NetworkEndpoint> {
    const adopted = this.fault === 'adopts any record' ? { ...record, network: this.name, version: 1 } : record;
    const time = /"startTime":"([0-9]+)"/.exec(JSON.stringify(record))?.[1];
    if (this.fault === 'trusts the process id alone' && time === '1') return this.#last ?? fail('nothing was attached');
    return this.inner.adopt(adopted, operation);
  }

  #last: NetworkEndpoint | undefined;

  #changed(spec: EndpointSpec): EndpointSpec {
    if (this.fault === 'gives all boxes one card') return { ...spec, boxId: 'one' };
    if (this.fault === 'publishes nothing') return { ...spec, ports: [] };
    if (this.fault === 'gives the host away') return { ...spec, hostAccess: [9] };
    if (this.fault !== 'takes any address') return spec;
    return { ...spec, ports: spec.ports.map((port) => ({ ...port, hostAddress: '127.0.0.1' })) };
  }

  /** What a fault had nobody give back. */
  static async detachAll(): Promise<void> {
    await Promise.all(made.map((endpoint) => endpoint.detach()));
  }

  async #attach(spec: EndpointSpec, operation: Operation): Promise<NetworkEndpoint> {
    const endpoint = await this.#attachInner(spec, operation);
    made.push(endpoint);
    return endpoint;
  }

  async #attachInner(spec: EndpointSpec, operation: Operation): Promise<NetworkEndpoint> {
    try {
      return await this.inner.attach(spec, operation);
    } catch (error) {
      const skips = this.fault === 'leaves out a port that is taken' && (error as BoxError).code === 'PORT_IN_USE';
      if (!skips) throw error;
      return this.inner.attach({ ...spec, ports: [] }, operation);
    }
  }

  #faulty(inner: NetworkEndpoint): NetworkEndpoint {
    const { fault } = this;
    const guest = fault === 'has no resolver' ? { ...inner.guest, nameServers: ['10.73.0.6'] } : inner.guest;
    const ports =
      fault === 'does not tell the port that it chose' ? inner.ports.map((p) => ({ ...p, hostPort: 0 })) : inner.ports;
    const { promise: detached, resolve } = Promise.withResolvers<string>();
    const failed = {
      'tells a detach as a failure': Promise.race([inner.failed, detached]),
      'does not see its own failure': new Promise<string>(() => undefined),
    };
    const endpoint: NetworkEndpoint = {
      ...(inner.attachment === undefined ? {} : { attachment: inner.attachment }),
      ...{ guest, ports, record: inner.record },
      failed: failed[fault as keyof typeof failed] ?? inner.failed,
      traffic: (operation) =>
        fault === 'does not count what the guest sends' ? nothingSent(inner, operation) : inner.traffic(operation),
      async detach() {
        resolve('detached');
        if (fault !== 'leaves its process') await inner.detach();
      },
      close: () => (fault === 'ends with its handle' ? inner.detach() : inner.close()),
    };
    this.#last = endpoint;
    return endpoint;
  }
}

async function nothingSent(inner: NetworkEndpoint, operation: Operation): Promise<Traffic | undefined> {
  const traffic = await inner.traffic(operation);
  return traffic && { ...traffic, sentBytes: 0n };
}

function fail(message: string): never {
  throw new BoxError('INTERNAL', message);
}

/** Ends a process that a broken provider left. */
export function endStray(pid: number): void {
  if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
}
