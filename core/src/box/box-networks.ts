import { mkdir } from 'node:fs/promises';
import { BoxError } from '../errors/box-error.js';
import { ConfigureRequest, type Route } from '../gen/a3s/box/agent/v1/agent.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import type { EndpointRecord, GuestNetwork, Network, NetworkEndpoint, Traffic } from '../ports/network.js';
import type { Operation } from '../ports/operation.js';
import { LoggerToken, NetworksToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';
import type { ProbedBackend } from '../vm/backend-chooser.js';
import type { Box } from './box.js';
import { BoxRecords } from './box-records.js';
import type { BoxSpec } from './box-spec.js';
import { splitSysctls } from './sysctls.js';

/** What `--network` calls being without one. */
export const NO_NETWORK = 'none';
/** Hexadecimal digits of a machine id (machine-id(5)). */
const MACHINE_ID_LENGTH = 32;
/** The guest's name for its card. */
const INTERFACE = 'eth0';

/** All networks that there are. */
export interface Networks {
  readonly all: ReadonlyMap<string, Network>;
  /**
   * Of these a box that asks for none in particular gets the first that its backend can connect to without a fault: all of
   * them in the distribution's order, or the one that the distribution names.
   */
  readonly preferred: readonly Network[];
}

/** Connects boxes to networks. */
@injectable()
export class BoxNetworks {
  /** Of boxes that run. */
  readonly #endpoints = new WeakMap<Box, NetworkEndpoint>();

  constructor(
    @inject(NetworksToken) private readonly networks: Networks,
    private readonly records: BoxRecords,
    private readonly home: HomeLayout,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** Name of a box's network, or `none`. @param backend where it is to run; undefined for a box that is known already */
  nameOf({ network }: Pick<BoxSpec, 'network'>, backend: ProbedBackend | undefined): string {
    if (network !== undefined) return network;
    const { preferred } = this.networks;
    return ((backend && fittingNetwork(preferred, backend.probe)) ?? preferred[0])?.name ?? NO_NETWORK;
  }

  /** @throws INVALID_ARGUMENT for a network that is not there, UNSUPPORTED for one that the backend cannot connect to */
  checkName(spec: Pick<BoxSpec, 'network'>, { hypervisor, probe }: ProbedBackend): void {
    const name = this.nameOf(spec, { hypervisor, probe });
    if (name === NO_NETWORK || probe.capabilities.has(this.#find(name).carrier)) return;
    throw new BoxError('UNSUPPORTED', `backend "${hypervisor.name}" cannot connect a box to network "${name}"`, {
      hint: 'leave --network out, or choose another backend with --backend',
    });
  }

  /**
   * @throws INVALID_ARGUMENT for a network that is not there, or ports that nothing would lead to
   * @throws UNSUPPORTED for a network that the backend cannot connect to
   */
  check(spec: BoxSpec, backend: ProbedBackend): void {
    const name = this.nameOf(spec, backend);
    if (name === NO_NETWORK) {
      if ((spec.ports ?? []).length === 0) return;
      throw new BoxError('INVALID_ARGUMENT', 'ports cannot be published without a network', {
        hint: 'leave --network none or the ports out',
      });
    }
    this.checkName(spec, backend);
  }

  /**
   * Makes a box's end of its network, written down before.
   * @returns undefined without a network
   * @throws PORT_IN_USE, NETWORK_FAILED, PERMISSION_DENIED, UNSUPPORTED, CANCELLED
   */
  async attach(
    { id, spec }: Pick<Box, 'id'> & { readonly spec: Pick<BoxSpec, 'network' | 'ports'> },
    backend: ProbedBackend,
    operation: Operation,
  ): Promise<NetworkEndpoint | undefined> {
    const name = this.nameOf(spec, backend);
    if (name === NO_NETWORK) return undefined;
    this.records.note({ id }, { kind: 'endpoint', network: name });
    const directory = this.home.boxNetwork(id);
    await mkdir(directory, { mode: 0o700, recursive: true });
    const network = this.#find(name);
    const fault = backend.probe.impaired?.[network.carrier];
    if (fault !== undefined) this.logger.warn({ box: id, network: name, fault }, 'the network of a box has a fault');
    return network.attach({ boxId: id, directory, ports: spec.ports ?? [], hostAccess: [] }, operation);
  }

  /**
   * Takes an end over that an earlier supervisor made.
   * @returns undefined when it is gone, or cannot be had: that is logged, and no other box is to wait for it. What serves it ends
   * with the VM
   */
  async adopt(box: Box, record: EndpointRecord, operation: Operation): Promise<NetworkEndpoint | undefined> {
    try {
      const endpoint = await this.#find(record.network).adopt(record, operation);
      this.watch(box, endpoint);
      return endpoint;
    } catch (error) {
      this.logger.error({ box: box.id, error }, 'the network of a running box cannot be taken over');
      return undefined;
    }
  }

  /** What went over a running box's network, as the host counted it. Undefined where nobody does. @throws NETWORK_FAILED */
  async trafficOf(box: Box, operation: Operation): Promise<Traffic | undefined> {
    return this.#endpoints.get(box)?.traffic(operation);
  }

  /** Has it logged when a running box loses its network, and what goes over it counted. */
  watch(box: Box, endpoint: NetworkEndpoint): void {
    this.#endpoints.set(box, endpoint);
    void endpoint.failed.then((reason) => {
      // At the VM's end it ends too, and may be the first to be seen.
      if (box.state.kind !== 'stopping') this.logger.warn({ box: box.id, reason }, 'the network of a box is gone');
    });
  }

  #find(name: string): Network {
    const network = this.networks.all.get(name);
    if (network) return network;
    const known = [...this.networks.all.keys(), NO_NETWORK].join(', ');
    throw new BoxError('INVALID_ARGUMENT', `network "${name}" is not known`, { hint: `known networks: ${known}` });
  }
}

/** The first that is carried without a fault; if there is none, the first that can work. */
function fittingNetwork(
  preferred: readonly Network[],
  { capabilities, impaired }: ProbedBackend['probe'],
): Network | undefined {
  const carried = preferred.filter(({ carrier }) => capabilities.has(carrier));
  if (carried.length < 2) return carried[0];
  return (
    carried.find((network) => impaired?.[network.carrier] === undefined && network.obstacle === undefined) ??
    carried.find(({ obstacle }) => obstacle === undefined) ??
    carried[0]
  );
}

/** How a guest is told who it is, and of its network. */
export function configureRequest(
  { id, hostname, spec }: Pick<Box, 'id' | 'hostname'> & { readonly spec?: Pick<BoxSpec, 'options'> },
  endpoint: NetworkEndpoint | undefined,
): ConfigureRequest {
  const { attachment, guest } = endpoint ?? {};
  const machineId = id.slice(0, MACHINE_ID_LENGTH);
  const sysctls = splitSysctls(spec?.options?.sysctls).guest;
  if (!attachment || !guest) return ConfigureRequest.create({ hostname, machineId, sysctls });
  const { addresses, mtu } = guest;
  return ConfigureRequest.create({
    hostname,
    machineId,
    sysctls,
    interfaces: [{ name: INTERFACE, mac: attachment.mac, addresses: [...addresses], mtu }],
    routes: guest.gateways.map(defaultRoute),
  });
}

function defaultRoute(gateway: string): Route {
  return { destination: 'default', gateway, interface: INTERFACE };
}

/** Without the length of the prefix. */
export function bareAddresses({ addresses }: GuestNetwork): string[] {
  return addresses.map((address) => address.replace(/\/\d+$/, ''));
}
