import { BoxError, type RegistryCredentials } from '@a3s-box/core';
import { mayFollow, type RegistryEndpoint } from './registry-address.js';
import { parseChallenges, type Challenge } from './registry-challenge.js';
import { boundedText } from './registry-body.js';
import type { HttpAnswer, HttpRequest } from './registry-transport.js';

const MAX_TOKEN = 64 * 1024;
/** What token services log a client by. */
const CLIENT_ID = 'a3s-box';

/** Sends a request that may be sent again. */
export type Send = (url: URL, request: HttpRequest) => Promise<HttpAnswer>;

/**
 * What one registry is shown: a password, or a token that a token service gives for it ("Token Authentication
 * Specification" and "OAuth2 Token Authentication" of distribution). Tokens are asked for once for each scope, however
 * many wait for one.
 */
export class RegistryAuthorization {
  private readonly tokens = new Map<string, Promise<string>>();
  private basic: string | undefined;

  constructor(
    private readonly endpoint: RegistryEndpoint,
    private readonly credentials: RegistryCredentials | undefined,
    private readonly send: Send,
  ) {}

  /** The header for a scope as far as one is known. */
  async header(scope: string): Promise<string | undefined> {
    const { registryToken } = this.credentials ?? {};
    if (registryToken !== undefined) return `Bearer ${headerSafe(registryToken)}`;
    const token = await this.tokens.get(scope);
    return token === undefined ? this.basic : `Bearer ${token}`;
  }

  /**
   * Does what a challenge asks for.
   * @param used the header that was not enough
   * @returns the header to try now @throws REGISTRY_DENIED, REGISTRY_FAILED
   */
  async answer(header: string, scope: string, used: string | undefined): Promise<string> {
    const challenges = parseChallenges(header);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined && this.credentials?.registryToken === undefined) return this.bearer(bearer, scope, used);
    const { username, password } = this.credentials ?? {};
    const wantsBasic = challenges.some(({ scheme }) => scheme === 'basic');
    if (!wantsBasic || username === undefined || password === undefined) {
      throw this.denied(this.credentials === undefined ? 'wants credentials' : 'does not take the credentials');
    }
    this.basic = basicHeader(username, password);
    if (used === this.basic) throw this.denied('does not take the user name and password');
    return this.basic;
  }

  private async bearer(challenge: Challenge, scope: string, used: string | undefined): Promise<string> {
    const known = await this.tokens.get(scope);
    if (known === undefined || used === `Bearer ${known}`) {
      const asked = this.fetchToken(challenge, scope);
      this.tokens.set(scope, asked);
      asked.catch(() => this.tokens.delete(scope));
    }
    const token = await this.tokens.get(scope);
    return `Bearer ${token ?? (await this.fetchToken(challenge, scope))}`;
  }

  private async fetchToken({ parameters }: Challenge, scope: string): Promise<string> {
    const realm = parameters.get('realm') ?? '';
    const url = URL.canParse(realm) ? new URL(realm) : undefined;
    if (url === undefined) throw this.denied('wants a token and does not say from where');
    if (!mayFollow(this.endpoint.base, url)) throw this.denied('wants a token from an address without TLS');
    const answer = await this.send(url, this.tokenRequest(url, parameters.get('service'), scope));
    if (answer.status < 200 || answer.status > 299) {
      await answer.body.dump();
      const anonymous = this.credentials === undefined;
      throw new BoxError('REGISTRY_DENIED', `token service ${url.host} answers with status ${answer.status}`, {
        hint: anonymous ? this.loginHint() : 'check user name and password, and what the user may do',
      });
    }
    const text = await boundedText(answer, MAX_TOKEN).catch((cause: unknown) => {
      throw new BoxError('REGISTRY_FAILED', `token service ${url.host} breaks off its answer`, { cause });
    });
    const token = text === undefined ? undefined : tokenOf(text);
    if (token === undefined) throw new BoxError('REGISTRY_FAILED', `token service ${url.host} gives no token`);
    return token;
  }

  /** Adds to the URL what the service has to know. */
  private tokenRequest(url: URL, service: string | undefined, scope: string): HttpRequest {
    const { identityToken, username, password } = this.credentials ?? {};
    const fields = new URLSearchParams();
    if (service !== undefined) fields.set('service', service);
    if (identityToken !== undefined) {
      fields.set('grant_type', 'refresh_token');
      fields.set('refresh_token', identityToken);
      fields.set('client_id', CLIENT_ID);
      if (scope !== '') fields.set('scope', scope);
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return { method: 'POST', headers, body: Buffer.from(fields.toString()) };
    }
    for (const one of scope.split(' ').filter(Boolean)) fields.append('scope', one);
    if (username !== undefined) fields.set('account', username);
    for (const [name, value] of fields) url.searchParams.append(name, value);
    if (username === undefined || password === undefined) return {};
    return { authorization: basicHeader(username, password) };
  }

  private denied(what: string): BoxError {
    const { registry, path } = this.endpoint;
    const name = path === '' ? `registry ${registry}` : `registry of ${registry}/${path}`;
    return new BoxError('REGISTRY_DENIED', `${name} ${what}`, {
      hint: this.credentials === undefined ? this.loginHint() : 'check them: a3s-box login',
    });
  }

  private loginHint(): string {
    return `check the name; if it is private, log in: a3s-box login ${this.endpoint.registry}`;
  }
}

function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** @throws INVALID_ARGUMENT */
function headerSafe(token: string): string {
  if (isToken(token)) return token;
  throw new BoxError('INVALID_ARGUMENT', 'registry token has characters that a token cannot have');
}

/** It becomes a header, so nothing that could end one. */
function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
}

function tokenOf(text: string): string | undefined {
  try {
    const { token, access_token: other } = JSON.parse(text) as { token?: unknown; access_token?: unknown };
    return [token, other].find(isToken);
  } catch {
    return undefined;
  }
}
