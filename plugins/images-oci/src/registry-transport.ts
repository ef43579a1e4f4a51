import { rootCertificates } from 'node:tls';
import { BoxError, type RegistrySettings } from '@a3s-box/core';
import type { Agent, Dispatcher } from 'undici';
import { isLoopback, mayFollow, settingsOf } from './registry-address.js';

const MAX_REDIRECTS = 5;
const CONNECT_MS = 15_000;

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | AsyncIterable<Buffer>;
  /** Goes to the host of the first URL, and to no other that it redirects to. */
  readonly authorization?: string | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
  readonly body: Dispatcher.ResponseData['body'];
  header(name: string): string | undefined;
}

export interface TransportOptions {
  readonly settings?: RegistrySettings | undefined;
  readonly signal: AbortSignal;
  /** Longest silence of a server, milliseconds. */
  readonly silenceMs: number;
}

/**
 * HTTP to registries and what they name: proxies, certificates and redirects. Rejects with the connection's own error.
 * Connections are kept until it is disposed of.
 */
export class RegistryTransport implements AsyncDisposable {
  private readonly dispatchers = new Map<string, Dispatcher>();

  constructor(private readonly options: TransportOptions) {}

  /** @throws REGISTRY_DENIED for a redirect that leaves TLS, REGISTRY_FAILED for a circle of them */
  async request(start: URL, request: HttpRequest): Promise<HttpAnswer> {
    let url = start;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const answer = await this.once(url, start, request);
      const location = answer.header('location');
      const redirects = [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined;
      // What is sent is sent to the registry only.
      if (!redirects || (request.method ?? 'GET') === 'POST' || request.body !== undefined) return answer;
      await answer.body.dump();
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (next === undefined || !mayFollow(url, next)) {
        throw new BoxError('REGISTRY_DENIED', `registry ${start.host} redirects to an address without TLS`, {
          hint: 'its administrator has to correct that',
        });
      }
      url = next;
    }
    throw new BoxError('REGISTRY_FAILED', `registry ${start.host} redirects in a circle`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.dispatchers.values()].map((dispatcher) => dispatcher.destroy()));
  }

  private async once(url: URL, start: URL, request: HttpRequest): Promise<HttpAnswer> {
    const { method = 'GET', body, authorization } = request;
    const { signal, silenceMs } = this.options;
    const headers: Record<string, string> = {
      'accept-encoding': 'identity',
      'user-agent': 'a3s-box',
      ...request.headers,
    };
    if (authorization !== undefined && url.origin === start.origin) headers['authorization'] = authorization;
    const dispatcher = await this.dispatcherFor(url);
    const answer = await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method,
      headers,
      signal,
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
      ...(body !== undefined && { body: body as Buffer }),
    });
    return {
      status: answer.statusCode,
      url,
      body: answer.body,
      header: (name) => {
        const value = answer.headers[name];
        return Array.isArray(value) ? value.join(', ') : value;
      },
    };
  }

  private async dispatcherFor(url: URL): Promise<Dispatcher> {
    const { origin } = url;
    // Loaded when a registry is spoken to; most uses of a store are without.
    const library = await import('undici');
    let dispatcher = this.dispatchers.get(origin);
    if (dispatcher === undefined) {
      dispatcher = this.dispatcher(url, library);
      this.dispatchers.set(origin, dispatcher);
    }
    return dispatcher;
  }

  private dispatcher(url: URL, { Agent, EnvHttpProxyAgent }: typeof import('undici')): Dispatcher {
    const { settings } = this.options;
    const named = url.host === 'registry-1.docker.io' ? 'docker.io' : url.host;
    const host = settingsOf(settings, named) ?? settingsOf(settings, hostWithPort(url));
    const tls = {
      ...(host?.authorities !== undefined && { ca: [...rootCertificates, ...host.authorities] }),
      ...(host?.client !== undefined && { cert: host.client.certificate, key: host.client.key }),
    };
    const agent: Agent.Options = { connect: { ...tls, timeout: CONNECT_MS }, allowH2: false };
    const { http = '', https = '', noProxy = '' } = settings?.proxy ?? {};
    if (isLoopback(url.hostname) || (http === '' && https === '')) return new Agent(agent);
    // An option that is left away would be read from the environment.
    return new EnvHttpProxyAgent({ ...agent, requestTls: tls, httpProxy: http, httpsProxy: https, noProxy });
  }
}

/** URLs leave a scheme's own port away, and names of images may have it. */
function hostWithPort({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
}
