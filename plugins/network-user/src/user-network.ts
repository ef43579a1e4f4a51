import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import {
  BoxError,
  isErrorCode,
  type EndpointRecord,
  type EndpointSpec,
  type Logger,
  type Network,
  type NetworkCapability,
  type NetworkEndpoint,
  type NetworkProbe,
  type Operation,
  type PublishedPort,
} from '@a3s-box/core';
import { gatewayPath } from './gateway-binary.js';
import { gatewayConfig, type GatewayConfig } from './gateway-config.js';
import { AdoptedGateway, ChildGateway, type GatewayLine } from './gateway-process.js';
import { givenNameServers, hostNameServers } from './name-servers.js';
import { RECORD_VERSION, UserEndpoint, type EndpointDetails } from './user-endpoint.js';

export interface UserNetworkOptions {
  readonly logger: Logger;
  /** Resolvers to use instead of the host's. */
  readonly nameServers?: readonly string[];
  /** Words to put before the gateway's command line, for tests that run it somewhere else. */
  readonly launcher?: readonly string[];
}

/** User ids of gateways that root starts, one for each: 0x78010000 to 0x7801ffff (docs/compatibility.md). */
const FIRST_UID = 0x7801_0000;
const UID_COUNT = 0x1_0000;
const UID_ATTEMPTS = 8;

const NO_GATEWAY = `there is no network gateway for ${process.platform}-${process.arch}`;

/** The Network port on a user-space NAT of one process for each box. */
export class UserNetwork implements Network {
  readonly name = 'default';
  readonly carrier = 'network-card';

  constructor(private readonly options: UserNetworkOptions) {}

  get obstacle(): string | undefined {
    return gatewayPath() === undefined ? NO_GATEWAY : undefined;
  }

  async probe({ signal }: Operation): Promise<NetworkProbe> {
    throwIfCancelled(signal, 'probe of network "default"');
    const unusable = (reason: string): NetworkProbe => ({ usable: false, reason, capabilities: new Set() });
    const program = gatewayPath();
    if (program === undefined) return unusable(NO_GATEWAY);
    const child = this.#start(program, ['--probe'], '');
    try {
      const { probe, error } = await orCancelled(child.line(), signal, 'probe of network "default"');
      if (probe === undefined) return unusable(error?.message ?? 'the network gateway does not answer');
      const capabilities = new Set<NetworkCapability>(['udp', 'ipv6', ...(probe.ping ? (['ping'] as const) : [])]);
      const ping = probe.ping ? 'ping too' : 'no ping to the outside: net.ipv4.ping_group_range has no group for it';
      return { usable: true, reason: `a user-space NAT in a confined process for each box; ${ping}`, capabilities };
    } catch (error) {
      if (signal.aborted || !(error instanceof BoxError)) throw error;
      return unusable(error.message);
    } finally {
      await child.kill();
    }
  }

  async attach(spec: EndpointSpec, { signal }: Operation): Promise<NetworkEndpoint> {
    const subject = `network of box ${spec.boxId}`;
    throwIfCancelled(signal, subject);
    const { nameServers } = this.options;
    const config = gatewayConfig(spec, nameServers === undefined ? hostNameServers() : givenNameServers(nameServers));
    const program = gatewayPath();
    if (program === undefined) {
      throw new BoxError('UNSUPPORTED', NO_GATEWAY, {
        hint: 'install cargo and run `npm run build -w @a3s-box/network-user`, or choose --network none',
      });
    }
    const { gateway, line } = await this.#startServing(program, config, signal);
    const details: EndpointDetails = {
      gateway: gateway.identity,
      attachment: { socket: config.socket, mac: config.guest.mac },
      ports: (line.ready?.ports ?? []) as PublishedPort[],
      counters: config.counters,
    };
    gateway.unref();
    this.options.logger.debug({ box: spec.boxId, pid: gateway.identity.pid }, 'started a network gateway');
    const record = { network: this.name, version: RECORD_VERSION, boxId: spec.boxId, details: { ...details } };
    return new UserEndpoint(record, gateway);
  }

  async adopt(record: EndpointRecord, { signal }: Operation): Promise<NetworkEndpoint> {
    await Promise.resolve();
    throwIfCancelled(signal, `adoption of the network of box ${record.boxId}`);
    if (record.network !== this.name || record.version !== RECORD_VERSION) {
      const made = `the network of box ${record.boxId} was made by "${record.network}" version ${record.version}`;
      throw new BoxError('INVALID_ARGUMENT', made, { hint: `this is "${this.name}" version ${RECORD_VERSION}` });
    }
    const { gateway } = record.details as unknown as EndpointDetails;
    return new UserEndpoint(record, new AdoptedGateway(gateway));
  }

  /** Starts a gateway under a user of its own. What fails is gone when this rejects. */
  async #startServing(
    program: string,
    config: GatewayConfig,
    signal: AbortSignal,
  ): Promise<{ gateway: ChildGateway; line: GatewayLine }> {
    const asRoot = process.geteuid?.() === 0;
    for (let attempt = 1; ; attempt++) {
      const uid = FIRST_UID + randomInt(UID_COUNT);
      const whole = asRoot ? { ...config, identity: { uid, gid: uid } } : config;
      const gateway = this.#start(program, [], `${JSON.stringify(whole)}\n`);
      try {
        const line = await orCancelled(gateway.line(), signal, 'start of a network gateway');
        if (line.ready !== undefined) return { gateway, line };
        throw startError(line);
      } catch (error) {
        await gateway.kill();
        await Promise.all([config.socket, config.counters].map((socket) => rm(socket, { force: true })));
        const userTaken = error instanceof BoxError && error.code === 'CONFLICT';
        if (!userTaken || attempt === UID_ATTEMPTS) throw error;
      }
    }
  }

  #start(program: string, parameters: readonly string[], text: string): ChildGateway {
    const [first = program, ...rest] = [...(this.options.launcher ?? []), program, ...parameters];
    return ChildGateway.start(first, rest, text);
  }
}

const HINTS: Readonly<Record<string, string>> = {
  PORT_IN_USE: 'choose another host port, or none to have one chosen',
  PERMISSION_DENIED: 'ports below 1024 need root; choose a higher one',
  INVALID_ARGUMENT: 'publish on an address of this host, 0.0.0.0 or ::',
  CONFINEMENT_FAILED: 'the gateway needs a Linux of 5.13 or later with Landlock among its security modules',
};

function startError({ error }: GatewayLine): BoxError {
  const { code, message, errno } = error ?? { code: 'NETWORK_FAILED', message: 'the network gateway said nothing' };
  const known = isErrorCode(code) ? code : 'NETWORK_FAILED';
  const hint = HINTS[known];
  return new BoxError(known, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(errno === undefined ? {} : { details: { errno } }),
  });
}

/** Rejects with CANCELLED as soon as the signal fires. Leaves `work` running. */
async function orCancelled<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(cancelled(signal, what));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    throwIfCancelled(signal, what);
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    // What the process says when it is ended for this.
    work.catch(() => undefined);
  }
}

function throwIfCancelled(signal: AbortSignal, what: string): void {
  if (signal.aborted) throw cancelled(signal, what);
}

function cancelled(signal: AbortSignal, what: string): BoxError {
  return new BoxError('CANCELLED', `${what} was cancelled`, { cause: signal.reason });
}
