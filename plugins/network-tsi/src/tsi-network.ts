import {
  BoxError,
  type EndpointRecord,
  type EndpointSpec,
  type GuestNetwork,
  type Network,
  type NetworkEndpoint,
  type NetworkProbe,
  type Operation,
  type PublishedPort,
} from '@a3s-box/core';
import { checkPorts, choosePorts } from './host-ports.js';
import { givenResolvers, hostResolvers } from './host-resolvers.js';

/** Version of the record's details. */
const RECORD_VERSION = 1;
/** Bytes that a packet may have on a link that is not there. */
const MTU = 65_520;

export interface TsiNetworkOptions {
  /** Resolvers that boxes ask, instead of the host's. */
  readonly nameServers?: readonly string[];
}

/**
 * The Network port where the backend carries the network: the guest's TCP and UDP sockets are sockets of its VMM, in the
 * host's network. The guest has the host's view of it, the host's loopback included, and whatever it listens on can be
 * reached from outside only through a published port.
 */
export class TsiNetwork implements Network {
  readonly name = 'tsi';
  readonly carrier = 'tsi';

  constructor(private readonly options: TsiNetworkOptions) {}

  probe({ signal }: Operation): Promise<NetworkProbe> {
    return settle(signal, 'probe of network "tsi"', () => ({
      usable: true,
      reason:
        'for backends that impersonate the guest’s sockets; the guest shares the host’s network, its loopback too',
      capabilities: new Set(['udp'] as const),
    }));
  }

  async attach(spec: EndpointSpec, { signal }: Operation): Promise<NetworkEndpoint> {
    const subject = `network of box ${spec.boxId}`;
    throwIfCancelled(signal, subject);
    checkPorts(spec.ports);
    const { nameServers } = this.options;
    const guest: GuestNetwork = {
      addresses: [],
      gateways: [],
      nameServers: nameServers === undefined ? hostResolvers() : givenResolvers(nameServers),
      mtu: MTU,
    };
    const ports = await choosePorts(spec.ports);
    throwIfCancelled(signal, subject);
    return endpoint({ network: this.name, version: RECORD_VERSION, boxId: spec.boxId, details: { guest, ports } });
  }

  adopt(record: EndpointRecord, { signal }: Operation): Promise<NetworkEndpoint> {
    return settle(signal, `adoption of the network of box ${record.boxId}`, () => {
      if (record.network === this.name && record.version === RECORD_VERSION) return endpoint(record);
      const made = `the network of box ${record.boxId} was made by "${record.network}" version ${record.version}`;
      throw new BoxError('INVALID_ARGUMENT', made, { hint: `this is "${this.name}" version ${RECORD_VERSION}` });
    });
  }
}

/** Nothing of it exists but in the VMM, with which it ends. */
function endpoint(record: EndpointRecord): NetworkEndpoint {
  const { guest, ports } = record.details as { readonly guest: GuestNetwork; readonly ports: readonly PublishedPort[] };
  return {
    guest,
    ports,
    record,
    failed: new Promise(() => undefined),
    traffic: () => Promise.resolve(undefined),
    detach: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

/** Rejects with what the work throws, and with CANCELLED when the signal has fired. */
function settle<T>(signal: AbortSignal, subject: string, work: () => T): Promise<T> {
  return new Promise((resolve) => {
    throwIfCancelled(signal, subject);
    resolve(work());
  });
}

function throwIfCancelled(signal: AbortSignal, what: string): void {
  if (signal.aborted) throw new BoxError('CANCELLED', `${what} was cancelled`, { cause: signal.reason });
}
