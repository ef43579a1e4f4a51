import { BoxError } from '@a3s-box/core';
import { checkDigest, digestOf } from './digest.js';
import { INDEX_TYPES, MANIFEST_TYPES, MAX_DOCUMENT, type Descriptor } from './image-manifest.js';
import { repositoryOf, type Reference } from './reference.js';
import { mayFollow, registryAddress } from './registry-address.js';
import { fetchToken, parseChallenge } from './registry-token.js';

const MAX_REDIRECTS = 5;

/**
 * Reads one repository of a registry (OCI distribution-spec). Anonymous, with a bearer token where the registry wants
 * one. Everything that is returned whole was checked against its digest.
 */
export class RegistryClient {
  private readonly base: URL;
  private readonly repository: string;
  private token: string | undefined;

  constructor(
    private readonly reference: Reference,
    plainHttp: boolean,
    private readonly signal: AbortSignal,
  ) {
    this.base = registryAddress(reference, plainHttp);
    this.repository = repositoryOf(reference);
  }

  /**
   * A manifest or index by tag or digest.
   * @throws IMAGE_NOT_FOUND, IMAGE_CORRUPT, LIMIT_EXCEEDED, REGISTRY_FAILED, REGISTRY_DENIED
   */
  async manifest(tagOrDigest: string): Promise<{ bytes: Buffer; digest: string }> {
    const accept = [...MANIFEST_TYPES, ...INDEX_TYPES].join(', ');
    const response = await this.get(`manifests/${tagOrDigest}`, accept);
    const bytes = await this.whole(response, MAX_DOCUMENT);
    const digest = digestOf(bytes);
    if (tagOrDigest.startsWith('sha256:')) checkDigest(`manifest of ${this.repository}`, tagOrDigest, digest);
    return { bytes, digest };
  }

  /** A config. @throws as {@link manifest} */
  async document(descriptor: Descriptor): Promise<Buffer> {
    if (descriptor.size > MAX_DOCUMENT) {
      throw new BoxError('LIMIT_EXCEEDED', `document ${descriptor.digest} is larger than ${MAX_DOCUMENT} bytes`);
    }
    const bytes = await this.whole(await this.get(`blobs/${descriptor.digest}`, '*/*'), descriptor.size);
    checkDigest(`document of ${this.repository}`, descriptor.digest, digestOf(bytes));
    return bytes;
  }

  /**
   * A blob's bytes as they come; the caller checks the digest. No more than the descriptor names.
   * @throws as {@link manifest}
   */
  async *blob(descriptor: Descriptor): AsyncGenerator<Buffer> {
    const response = await this.get(`blobs/${descriptor.digest}`, '*/*');
    yield* this.body(response, descriptor.size);
  }

  private async get(path: string, accept: string): Promise<Response> {
    const url = new URL(`/v2/${this.reference.path}/${path}`, this.base);
    let response = await this.request(url, accept);
    if (response.status === 401) {
      const challenge = parseChallenge(response.headers.get('www-authenticate') ?? '');
      await response.body?.cancel();
      if (challenge === undefined) throw this.denied('wants credentials, which are not supported yet');
      if (!mayFollow(this.base, challenge.realm)) throw this.denied('wants a token from an address without TLS');
      this.token = await fetchToken(challenge, this.reference.path, this.signal);
      response = await this.request(url, accept);
    }
    if (response.ok) return response;
    await response.body?.cancel();
    throw this.failure(response, path);
  }

  /** Follows redirects by hand: the token stays with the registry, and TLS is not left. */
  private async request(start: URL, accept: string): Promise<Response> {
    let url = start;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const headers: Record<string, string> = { accept, 'accept-encoding': 'identity' };
      if (this.token !== undefined && url.origin === this.base.origin)
        headers['authorization'] = `Bearer ${this.token}`;
      const response = await fetch(url.href, { headers, redirect: 'manual', signal: this.signal }).catch(
        (error: unknown) => {
          throw this.unreachable(error);
        },
      );
      const location = response.headers.get('location');
      if (response.status < 300 || response.status > 399 || location === null) return response;
      await response.body?.cancel();
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (next === undefined || !mayFollow(url, next)) throw this.denied('redirects to an address without TLS');
      url = next;
    }
    throw new BoxError('REGISTRY_FAILED', `registry of ${this.repository} redirects in a circle`);
  }

  private async whole(response: Response, limit: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.body(response, limit)) parts.push(part);
    return Buffer.concat(parts);
  }

  private async *body(response: Response, limit: number): AsyncGenerator<Buffer> {
    let bytes = 0;
    try {
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (bytes > limit) {
          throw new BoxError(
            'IMAGE_CORRUPT',
            `registry of ${this.repository} sends more than the ${limit} bytes it named`,
          );
        }
        yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      }
    } catch (error) {
      throw error instanceof BoxError ? error : this.unreachable(error);
    }
  }

  private failure(response: Response, path: string): BoxError {
    const { status } = response;
    if (status === 404) {
      return new BoxError('IMAGE_NOT_FOUND', `registry has no ${path} of ${this.repository}`, {
        hint: 'check the name and the tag',
      });
    }
    if (status === 401 || status === 403) return this.denied('does not give access; it may not exist, or be private');
    const hint = status === 429 ? 'the registry limits the rate of pulls; wait, or use another' : 'try again later';
    return new BoxError('REGISTRY_FAILED', `registry of ${this.repository} answers with status ${status}`, { hint });
  }

  private denied(what: string): BoxError {
    return new BoxError('REGISTRY_DENIED', `registry of ${this.repository} ${what}`, {
      hint: 'check the name; only images that anybody may read can be pulled',
    });
  }

  private unreachable(error: unknown): BoxError {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? cause.message : message;
    return new BoxError(
      'REGISTRY_FAILED',
      `registry of ${this.repository} at ${this.base.host} cannot be reached: ${reason}`,
      {
        hint: 'check the network and the name of the registry',
        cause: error,
      },
    );
  }
}
