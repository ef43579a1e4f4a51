import { BoxError, type LoginOptions, type RegistryOptions } from '@a3s-box/core';
import { quoted } from './quoted.js';
import { endpointsOf, registryAddress, type RegistryEndpoint } from './registry-address.js';
import { RegistryConnection } from './registry-connection.js';
import { RegistryTransport } from './registry-transport.js';
import { isRegistryName, type Reference } from './reference.js';
import { DEFAULT_RETRIES, type RetryPolicy } from './retry.js';

/** How patient a store is with registries. */
export interface RegistryPatience {
  readonly retries: RetryPolicy;
  /** Longest silence of a registry, milliseconds. */
  readonly silenceMs: number;
}

export const DEFAULT_PATIENCE: RegistryPatience = { retries: DEFAULT_RETRIES, silenceMs: 60_000 };

/** The connections of one operation; all end with it. */
export class Registries implements AsyncDisposable {
  private readonly transport: RegistryTransport;

  constructor(
    private readonly options: RegistryOptions,
    private readonly signal: AbortSignal,
    private readonly patience: RegistryPatience,
  ) {
    this.transport = new RegistryTransport({ settings: options.settings, signal, silenceMs: patience.silenceMs });
  }

  /** To the places that a repository is at, in the order in which to ask them; the registry is the last. */
  connections(reference: Reference): readonly RegistryConnection[] {
    return endpointsOf(reference, this.options).map((endpoint) => this.connection(endpoint));
  }

  connection(endpoint: RegistryEndpoint): RegistryConnection {
    return new RegistryConnection({
      endpoint,
      credentials: this.options.credentials?.find(({ registry }) => registry === endpoint.registry),
      transport: this.transport,
      retries: this.patience.retries,
      signal: this.signal,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.transport[Symbol.asyncDispose]();
  }
}

/** Asks a registry whether it takes credentials. @throws REGISTRY_DENIED, REGISTRY_FAILED, INVALID_REFERENCE */
export async function checkLogin(options: LoginOptions, patience: RegistryPatience): Promise<void> {
  const { credentials, signal, ...access } = options;
  const { registry } = credentials;
  if (!isRegistryName(registry)) {
    throw new BoxError('INVALID_REFERENCE', `${quoted(registry)} is no registry`, {
      hint: 'write it as host or host:port, without https:// and without a path',
    });
  }
  await using registries = new Registries({ ...access, credentials: [credentials] }, signal, patience);
  const base = registryAddress(registry, access);
  const connection = registries.connection({ registry, base, path: '' });
  const answer = await connection.send(connection.url('/v2/'), {}, '');
  if (answer.status === 200) {
    await answer.body.dump();
    return;
  }
  if (answer.status === 401 || answer.status === 403) {
    await answer.body.dump();
    throw new BoxError('REGISTRY_DENIED', `registry ${registry} does not take the user name and password`, {
      hint: 'check them',
    });
  }
  if (answer.status === 404) {
    await answer.body.dump();
    throw new BoxError('REGISTRY_FAILED', `${registry} is no registry: it has no /v2/`, { hint: 'check the name' });
  }
  throw await connection.failure(answer, '/v2/');
}
