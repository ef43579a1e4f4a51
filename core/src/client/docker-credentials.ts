import type { RegistryCredentials } from '../ports/registry.js';
import { CredentialHelper } from './credential-helper.js';
import { DockerConfig } from './docker-config.js';
import type { CredentialSource } from './registry-client.js';

export interface DockerCredentialsOptions {
  /** Absolute path: `~/.docker`, or what DOCKER_CONFIG says. Need not exist. */
  readonly directory: string;
  /** For helpers, which are found in its PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * The credentials that Docker's `config.json` leads to, shared with Docker and podman: those of a credential helper
 * where it names one, otherwise its own. Rejects with INVALID_ARGUMENT for a damaged file, NOT_FOUND for a missing helper
 * and REGISTRY_DENIED for one that fails.
 */
export class DockerCredentials {
  readonly #config: DockerConfig;

  constructor(private readonly options: DockerCredentialsOptions) {
    this.#config = new DockerConfig(options.directory);
  }

  /** What a registry knows the user by. */
  readonly find: CredentialSource = async (registry) => {
    const helper = await this.#helper(registry);
    return (await helper?.get(registry)) ?? (await this.#config.credentials(registry));
  };

  /** Keeps credentials, with the helper where there is one. @returns what keeps them: a program's name or a file's path */
  async keep(credentials: RegistryCredentials): Promise<{ readonly kind: 'helper' | 'file'; readonly place: string }> {
    const helper = await this.#helper(credentials.registry);
    if (helper) {
      await helper.store(credentials);
      // An older entry would come to light when the helper has gone.
      await this.#config.forget(credentials.registry);
      return { kind: 'helper', place: helper.program };
    }
    await this.#config.keep(credentials);
    return { kind: 'file', place: this.#config.file };
  }

  /** Forgets the credentials of a registry. @returns whether there were any */
  async forget(registry: string): Promise<boolean> {
    const helper = await this.#helper(registry);
    const kept = (await helper?.get(registry)) !== undefined;
    if (kept) await helper?.erase(registry);
    return (await this.#config.forget(registry)) || kept;
  }

  async #helper(registry: string): Promise<CredentialHelper | undefined> {
    const name = await this.#config.helper(registry);
    return name === undefined ? undefined : new CredentialHelper(name, this.options.environment);
  }
}
