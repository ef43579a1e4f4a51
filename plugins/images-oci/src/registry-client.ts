import { BoxError } from '@a3s-box/core';
import { checkDigest, digestOf } from './digest.js';
import { INDEX_TYPES, MANIFEST_TYPES, MAX_DOCUMENT, type Descriptor } from './image-manifest.js';
import type { Repository } from './layer-places.js';
import { rangeStart } from './registry-body.js';
import type { RegistryConnection } from './registry-connection.js';
import type { HttpAnswer } from './registry-transport.js';

/** So often a blob is gone on with after its connection broke, whatever came meanwhile. */
const MOST_RESUMPTIONS = 50;
/** Parts in which a registry may send a list. */
const MOST_PARTS = 16;

/**
 * Reads one repository of a registry (OCI distribution-spec). Everything that is returned whole was checked against its
 * digest.
 */
export class RegistryClient {
  private readonly scope: string;

  constructor(private readonly connection: RegistryConnection) {
    this.scope = `repository:${connection.endpoint.path}:pull`;
  }

  /** What is read. */
  get repository(): Repository {
    return this.connection.endpoint;
  }

  /**
   * A manifest or index by tag or digest.
   * @throws IMAGE_NOT_FOUND, IMAGE_CORRUPT, LIMIT_EXCEEDED, REGISTRY_FAILED, REGISTRY_DENIED
   */
  async manifest(tagOrDigest: string): Promise<{ bytes: Buffer; digest: string }> {
    const accept = [...MANIFEST_TYPES, ...INDEX_TYPES].join(', ');
    const { bytes } = await this.whole(`manifests/${tagOrDigest}`, accept, MAX_DOCUMENT);
    const digest = digestOf(bytes);
    if (tagOrDigest.startsWith('sha256:')) checkDigest(`manifest of ${this.connection.name}`, tagOrDigest, digest);
    return { bytes, digest };
  }

  /** A config or another document. @param limit most bytes. @throws as {@link manifest} */
  async document(descriptor: Pick<Descriptor, 'digest' | 'size'>, limit = MAX_DOCUMENT): Promise<Buffer> {
    if (descriptor.size > limit) {
      throw new BoxError('LIMIT_EXCEEDED', `document ${descriptor.digest} is larger than ${limit} bytes`);
    }
    const { bytes } = await this.whole(`blobs/${descriptor.digest}`, '*/*', descriptor.size);
    checkDigest(`document of ${this.connection.name}`, descriptor.digest, digestOf(bytes));
    return bytes;
  }

  /** The index of what refers to a manifest, in the parts in which the registry sends it. @throws as {@link manifest} */
  async referrers(digest: string): Promise<readonly Buffer[]> {
    const parts: Buffer[] = [];
    let url: URL | undefined = this.connection.url(`referrers/${digest}`);
    while (url !== undefined) {
      if (parts.length === MOST_PARTS) {
        throw new BoxError(
          'LIMIT_EXCEEDED',
          `registry of ${this.connection.name} lists too much that refers to ${digest}`,
        );
      }
      const part: { bytes: Buffer; next: URL | undefined } = await this.whole(url, INDEX_TYPES[0], MAX_DOCUMENT);
      parts.push(part.bytes);
      url = part.next;
    }
    return parts;
  }

  /**
   * A blob's bytes as they come; the caller checks the digest. No more than the descriptor names. Goes on where a
   * connection broke.
   * @throws as {@link manifest}
   */
  async *blob({ digest, size }: Descriptor): AsyncGenerator<Buffer> {
    const { connection } = this;
    let done = 0;
    let idle = 0;
    for (let resumptions = 0; ; resumptions++) {
      const begun = done;
      let broken: unknown;
      try {
        const range: Record<string, string> = done > 0 ? { range: `bytes=${done}-` } : {};
        const answer = await this.get(`blobs/${digest}`, { accept: '*/*', ...range }, done > 0);
        for await (const piece of this.rest(answer, done)) {
          done += piece.length;
          this.checkLength(done, size);
          yield piece;
        }
        if (done === size) return;
        broken = new BoxError(
          'IMAGE_CORRUPT',
          `registry of ${connection.name} ends blob ${digest} after ${done} of ${size} bytes`,
        );
      } catch (error) {
        if (error instanceof BoxError) throw error;
        // What came whole needs no proper end.
        if (done === size && size > 0) return;
        broken = error;
      }
      idle = done > begun ? 1 : idle + 1;
      if (resumptions >= MOST_RESUMPTIONS) throw connection.unreachable(broken);
      await connection.waitAfter(idle, broken);
    }
  }

  /** What comes after the bytes that are there already, of an answer to a range or with all. */
  private async *rest(answer: HttpAnswer, from: number): AsyncGenerator<Buffer> {
    let toSkip = from;
    if (answer.status === 206) {
      const start = rangeStart(answer.header('content-range'));
      if (start === undefined || start > from) {
        await answer.body.dump();
        throw new BoxError(
          'REGISTRY_FAILED',
          `registry of ${this.connection.name} sends another range than it was asked for`,
        );
      }
      toSkip = from - start;
    }
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      const skipped = Math.min(toSkip, chunk.length);
      toSkip -= skipped;
      if (skipped < chunk.length) yield chunk.subarray(skipped);
    }
  }

  private async whole(
    path: string | URL,
    accept: string,
    limit: number,
  ): Promise<{ readonly bytes: Buffer; readonly next: URL | undefined }> {
    for (let failed = 1; ; failed++) {
      const answer = await this.get(path, { accept }, false);
      const parts: Buffer[] = [];
      let bytes = 0;
      try {
        for await (const part of answer.body as AsyncIterable<Buffer>) {
          bytes += part.length;
          this.checkLength(bytes, limit);
          parts.push(part);
        }
        return { bytes: Buffer.concat(parts), next: nextPart(answer) };
      } catch (error) {
        if (error instanceof BoxError) throw error;
        await this.connection.waitAfter(failed, error);
      }
    }
  }

  private async get(path: string | URL, headers: Record<string, string>, partial: boolean): Promise<HttpAnswer> {
    const url = typeof path === 'string' ? this.connection.url(path) : path;
    const answer = await this.connection.send(url, { headers }, this.scope);
    if (answer.status === 200 || (partial && answer.status === 206)) return answer;
    throw await this.connection.failure(answer, typeof path === 'string' ? path : 'list');
  }

  private checkLength(bytes: number, limit: number): void {
    if (bytes <= limit) return;
    throw new BoxError(
      'IMAGE_CORRUPT',
      `registry of ${this.connection.name} sends more than the ${limit} bytes it named`,
    );
  }
}

/** Where a list goes on (RFC 8288), at the same server. */
function nextPart(answer: HttpAnswer): URL | undefined {
  const target = /<([^>]+)>\s*;\s*rel="?next"?/.exec(answer.header('link') ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, answer.url.href)) return undefined;
  const url = new URL(target, answer.url);
  return url.origin === answer.url.origin ? url : undefined;
}
