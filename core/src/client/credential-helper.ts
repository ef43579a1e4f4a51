import { spawn } from 'node:child_process';
import { BoxError } from '../errors/box-error.js';
import type { RegistryCredentials } from '../ports/registry.js';
import { serverName } from './docker-config.js';

/** Longest answer, characters. */
const LONGEST = 1024 * 1024;
/** What helpers answer when they have nothing. */
const NOT_FOUND = /credentials not found/i;
/** User name of what is a token and no password. */
const TOKEN_USER = '<token>';

type Verb = 'get' | 'store' | 'erase';

/** A program that keeps credentials, by Docker's protocol: `docker-credential-NAME`. Secrets go through its stdin only. */
export class CredentialHelper {
  readonly program: string;

  /** @param environment its whole environment */
  constructor(
    name: string,
    private readonly environment: Readonly<Record<string, string | undefined>>,
  ) {
    this.program = `docker-credential-${name}`;
  }

  /** @throws NOT_FOUND when there is no such program, REGISTRY_DENIED when it fails */
  async get(registry: string): Promise<RegistryCredentials | undefined> {
    const { ok, output } = await this.#run('get', serverName(registry));
    if (!ok && NOT_FOUND.test(output)) return undefined;
    if (!ok) throw this.#failed('get', output);
    const { Username: username, Secret: secret } = this.#parse(output);
    if (typeof username !== 'string' || typeof secret !== 'string') throw this.#noCredentials();
    if (username === TOKEN_USER) return { registry, identityToken: secret };
    return { registry, username, password: secret };
  }

  /** @throws as {@link get} */
  async store({ registry, username = '', password = '', identityToken }: RegistryCredentials): Promise<void> {
    const entry = {
      ServerURL: serverName(registry),
      Username: identityToken === undefined ? username : TOKEN_USER,
      Secret: identityToken ?? password,
    };
    const { ok, output } = await this.#run('store', JSON.stringify(entry));
    if (!ok) throw this.#failed('store', output);
  }

  /** @throws as {@link get} */
  async erase(registry: string): Promise<void> {
    const { ok, output } = await this.#run('erase', serverName(registry));
    if (!ok && !NOT_FOUND.test(output)) throw this.#failed('erase', output);
  }

  #parse(output: string): Record<string, unknown> {
    try {
      const document = JSON.parse(output) as unknown;
      if (typeof document === 'object' && document !== null) return document as Record<string, unknown>;
    } catch {
      // What it wrote may be a secret, and is not shown.
    }
    throw this.#noCredentials();
  }

  #run(verb: Verb, input: string): Promise<{ ok: boolean; output: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.program, [verb], { stdio: ['pipe', 'pipe', 'ignore'], env: { ...this.environment } });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.length > LONGEST) child.kill();
      });
      child.on('error', (cause: NodeJS.ErrnoException) => reject(this.#missing(cause)));
      child.on('close', (code) => resolve({ ok: code === 0, output: output.slice(0, LONGEST) }));
      // One that does not read says so by how it ends.
      child.stdin.on('error', () => undefined).end(input);
    });
  }

  #missing(cause: NodeJS.ErrnoException): BoxError {
    return new BoxError('NOT_FOUND', `credential helper ${this.program} cannot be started: ${cause.code}`, {
      hint: "install it, or take it out of Docker's config.json (credsStore, credHelpers)",
      cause,
    });
  }

  #failed(verb: Verb, output: string): BoxError {
    // Of get, nothing that it wrote is shown: it may be a secret.
    const said = verb === 'get' && output.includes('{') ? '' : output.trim().split('\n', 1)[0]?.slice(0, 200);
    return new BoxError(
      'REGISTRY_DENIED',
      `credential helper ${this.program} fails to ${verb}${said ? `: ${said}` : ''}`,
      {
        hint: 'see that its key store is there and unlocked',
      },
    );
  }

  #noCredentials(): BoxError {
    return new BoxError(
      'REGISTRY_DENIED',
      `credential helper ${this.program} answers with something else than credentials`,
    );
  }
}
