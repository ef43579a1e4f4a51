import { BoxError, type RegistryCredentials } from '@a3s-box/core';
import { mayFollow, type RegistryEndpoint } from './registry-address.js';
import { RegistryAuthorization } from './registry-authorization.js';
import type { HttpAnswer, HttpRequest, RegistryTransport } from './registry-transport.js';
import { delayBefore, isTransient, mayPass, pause, retryAfterMs, type RetryPolicy } from './retry.js';

export interface ConnectionParts {
  readonly endpoint: RegistryEndpoint;
  readonly credentials: RegistryCredentials | undefined;
  readonly transport: RegistryTransport;
  readonly retries: RetryPolicy;
  readonly signal: AbortSignal;
}

export interface RegistryRequest extends HttpRequest {
  /** Is not to be repeated, but after the registry asked for credentials before it took anything. */
  readonly once?: boolean;
}

/** OpenSSL's code for an answer that is not TLS. */
const NO_TLS = 'ERR_SSL_WRONG_VERSION_NUMBER';

/** Requests to one repository of one registry: authorised, and repeated where that may help. */
export class RegistryConnection {
  readonly endpoint: RegistryEndpoint;
  private readonly authorization: RegistryAuthorization;

  constructor(private readonly parts: ConnectionParts) {
    this.endpoint = parts.endpoint;
    this.authorization = new RegistryAuthorization(parts.endpoint, parts.credentials, (url, request) =>
      this.repeat(url, request),
    );
  }

  /** How the repository is named in messages. */
  get name(): string {
    const { registry, path } = this.endpoint;
    return path === '' ? registry : `${registry}/${path}`;
  }

  /** The address of something of the repository, or of the registry when it begins with a slash. */
  url(path: string): URL {
    return new URL(path.startsWith('/') ? path : `/v2/${this.endpoint.path}/${path}`, this.endpoint.base);
  }

  /**
   * Sends a request, whose body may be sent again.
   * @param scope of the token, as the token specification writes it
   * @returns the answer, whatever its status, but none that says to come back later or with credentials
   * @throws REGISTRY_FAILED, REGISTRY_DENIED, and of a request that is not repeated the connection's own error
   */
  async send(url: URL, request: RegistryRequest, scope: string): Promise<HttpAnswer> {
    // What a registry names elsewhere does not get what it gets.
    if (url.origin !== this.endpoint.base.origin) return await this.repeat(url, request);
    const authorization = await this.authorization.header(scope);
    const answer = await this.repeat(url, { ...request, authorization });
    // Another host, to which was redirected, has nothing to ask for.
    if (answer.status !== 401 || answer.url.origin !== this.endpoint.base.origin) return answer;
    await answer.body.dump();
    const header = answer.header('www-authenticate') ?? '';
    const next = await this.authorization.answer(header, scope, authorization);
    return await this.repeat(url, { ...request, authorization: next });
  }

  /** Whether an address that the registry names may be spoken to. */
  trusts(url: URL): boolean {
    return mayFollow(this.endpoint.base, url);
  }

  /**
   * Waits before another attempt, unless there is to be none.
   * @param askedMs what the registry asked for
   * @throws REGISTRY_FAILED then
   */
  async waitAfter(failed: number, error: unknown, askedMs?: number): Promise<void> {
    const chosen = { failed, askedMs, random: Math.random() };
    const delay = mayPass(error) ? delayBefore(this.parts.retries, chosen) : undefined;
    if (delay === undefined || this.parts.signal.aborted) throw this.unreachable(error);
    await pause(delay, this.parts.signal);
  }

  /** The error of an answer that is not what was asked for. Its body is gone. */
  async failure(answer: HttpAnswer, what: string): Promise<BoxError> {
    await answer.body.dump();
    const { status } = answer;
    if (status === 404) {
      return new BoxError('IMAGE_NOT_FOUND', `registry has no ${what} of ${this.name}`, {
        hint: 'check the name and the tag',
      });
    }
    if (status === 401 && this.parts.credentials !== undefined) {
      return new BoxError('REGISTRY_DENIED', `registry of ${this.name} does not take the credentials`, {
        hint: `log in again: a3s-box login ${this.endpoint.registry}`,
      });
    }
    if (status === 401 || status === 403) {
      const anonymous = this.parts.credentials === undefined;
      return new BoxError(
        'REGISTRY_DENIED',
        `registry of ${this.name} does not give access; it may not exist, or be private`,
        {
          hint: anonymous
            ? `check the name; if it is private, log in: a3s-box login ${this.endpoint.registry}`
            : 'check the name, and what the user may do',
        },
      );
    }
    const hint = status === 429 ? 'the registry limits the rate; wait, log in, or use another' : 'try again later';
    return new BoxError('REGISTRY_FAILED', `registry of ${this.name} answers with status ${status}`, { hint });
  }

  unreachable(error: unknown): BoxError {
    if (error instanceof BoxError) return error;
    const { message, cause } = error as Error;
    if ([error, cause].some((it) => (it as NodeJS.ErrnoException | undefined)?.code === NO_TLS)) {
      return new BoxError(
        'REGISTRY_FAILED',
        `registry of ${this.name} at ${this.endpoint.base.host} does not speak TLS`,
        {
          hint: 'to speak http, give --plain-http for one on this machine, or set plainHttp for it in registries.json',
          cause: error,
        },
      );
    }
    const reason = cause instanceof Error ? cause.message : message;
    return new BoxError(
      'REGISTRY_FAILED',
      `registry of ${this.name} at ${this.endpoint.base.host} cannot be reached: ${reason}`,
      { hint: 'check the network and the name of the registry', cause: error },
    );
  }

  private async repeat(url: URL, { once = false, ...request }: RegistryRequest): Promise<HttpAnswer> {
    const { retries, signal, transport } = this.parts;
    if (once) return await transport.request(url, request);
    for (let failed = 1; ; failed++) {
      let answer: HttpAnswer;
      try {
        answer = await transport.request(url, request);
      } catch (error) {
        if (error instanceof BoxError) throw error;
        await this.waitAfter(failed, error);
        continue;
      }
      if (!isTransient(answer.status)) return answer;
      const askedMs = retryAfterMs(answer.header('retry-after'), Date.now());
      const delay = delayBefore(retries, { failed, askedMs, random: Math.random() });
      if (delay === undefined) return answer;
      await answer.body.dump();
      await pause(delay, signal);
    }
  }
}
