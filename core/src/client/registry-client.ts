import { RegistriesService, RegistryCredentials as Message } from '../gen/a3s/box/supervisor/v1/registries.js';
import type { RegistryCredentials } from '../ports/registry.js';
import type { CallOptions } from './call-options.js';
import type { SupervisorConnection } from './supervisor-connection.js';

/** Finds what a registry (`host` or `host:port`) knows the caller by. Undefined: nothing, anonymous. */
export type CredentialSource = (registry: string) => Promise<RegistryCredentials | undefined>;

export interface LoginOptions extends CallOptions {
  /** Speak http; only to a registry on loopback. */
  readonly plainHttp?: boolean;
}

/** Registries, as the home's configuration has them spoken to. Errors as of `BoxClient`. */
export class RegistryClient {
  readonly #connection: SupervisorConnection;

  /** @param connection stays the caller's */
  constructor(connection: SupervisorConnection) {
    this.#connection = connection;
  }

  /** Asks a registry whether it takes the credentials. Keeps nothing. @throws REGISTRY_DENIED, REGISTRY_FAILED */
  async login(credentials: RegistryCredentials, { plainHttp = false, signal }: LoginOptions = {}): Promise<void> {
    const request = { credentials: Message.create(credentials), plainHttp };
    await this.#connection.call(RegistriesService.login, request, signal);
  }
}

/** What to send along for an image: of all that the caller has, only what the registries in question know. */
export async function credentialsFor(
  connection: SupervisorConnection,
  reference: string,
  source: CredentialSource | undefined,
  signal: AbortSignal | undefined,
): Promise<Message[]> {
  if (source === undefined) return [];
  const { registries } = await connection.call(RegistriesService.resolve, { reference }, signal);
  const found = await Promise.all(registries.map((registry) => source(registry)));
  return found.filter((it) => it !== undefined).map((it) => Message.create(it));
}
