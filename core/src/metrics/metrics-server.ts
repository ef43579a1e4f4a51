import { chmod, lstat, unlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { BoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { Facts } from '../state/facts.js';
import { Activity } from '../supervisor/activity.js';
import { EXPOSITION_TYPE } from './exposition.js';
import { HomeMetrics } from './home-metrics.js';
import { metricsAddressText, parseMetricsAddress, type MetricsAddress } from './metrics-address.js';

/** Name of the fact: where they are served, or nothing. */
const ADDRESS = 'metrics-address';
const MOST_CONNECTIONS = 16;
/** What a browser on this machine may have been told to ask by a page of somebody else. */
const LOCAL_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

interface Serving {
  readonly address: MetricsAddress;
  readonly server: Server;
  /** Keeps the supervisor there. */
  readonly use: Disposable;
}

/** Serves metrics where it was told to, from supervisor to supervisor. */
@injectable()
export class MetricsServer implements AsyncDisposable {
  #serving: Serving | undefined;

  constructor(
    private readonly metrics: HomeMetrics,
    private readonly facts: Facts,
    private readonly activity: Activity,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** Where they are served; empty: nowhere. */
  get address(): string {
    return this.#serving ? metricsAddressText(this.#serving.address) : '';
  }

  /** Serves as the supervisor before did. An address that cannot be used any more is logged. */
  async resume(): Promise<void> {
    const address = this.facts.get(ADDRESS) ?? '';
    if (address === '') return;
    try {
      this.#serving = await this.#listen(parseMetricsAddress(address));
    } catch (error) {
      this.logger.error({ address, error }, 'metrics cannot be served');
    }
  }

  /** @param text empty: nowhere @throws INVALID_ARGUMENT, PORT_IN_USE: then it stays as it was */
  async serve(text: string): Promise<void> {
    const wanted = text === '' ? undefined : parseMetricsAddress(text);
    if (wanted && text === this.address) return;
    const next = wanted && (await this.#listen(wanted));
    await this[Symbol.asyncDispose]();
    this.#serving = next;
    this.facts.set(ADDRESS, this.address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const serving = this.#serving;
    this.#serving = undefined;
    if (!serving) return;
    serving.use[Symbol.dispose]();
    serving.server.closeAllConnections();
    await new Promise<void>((resolve) => serving.server.close(() => resolve()));
  }

  async #listen(address: MetricsAddress): Promise<Serving> {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.maxConnections = MOST_CONNECTIONS;
    if (address.kind === 'unix') await removeLeft(address.path);
    const options =
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port, exclusive: true };
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(inUse(address, cause)));
      server.listen(options, resolve);
    });
    if (address.kind === 'unix') await chmod(address.path, 0o600);
    const port = (server.address() as AddressInfo).port;
    const real = address.kind === 'tcp' ? { ...address, port } : address;
    return { address: real, server, use: this.activity.begin() };
  }

  async #answer({ method, url, headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const overTcp = this.#serving?.address.kind === 'tcp';
    if (overTcp && !LOCAL_HOST.test(headers.host ?? '')) return refuse(response, 403);
    if (url !== '/metrics') return refuse(response, 404);
    if (method !== 'GET') return refuse(response, 405);
    try {
      const text = await this.metrics.text();
      response.writeHead(200, { 'content-type': EXPOSITION_TYPE }).end(text);
    } catch (error) {
      this.logger.error({ error }, 'metrics could not be gathered');
      refuse(response, 500);
    }
  }
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status).end();
}

/** Removes a socket that a supervisor left. @throws PORT_IN_USE for one that is listened on, and what is no socket */
async function removeLeft(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  const isFree = found.isSocket() && (await isRefused(path));
  if (!isFree) throw inUse({ kind: 'unix', path });
  await unlink(path);
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', () => resolve(true));
  });
}

function inUse(address: MetricsAddress, cause?: unknown): BoxError {
  return new BoxError('PORT_IN_USE', `metrics cannot be served at ${metricsAddressText(address)}: it is not free`, {
    hint: 'choose another address',
    cause,
  });
}
