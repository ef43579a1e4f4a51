import { createReadStream } from 'node:fs';
import { BoxError, isBoxError } from '@a3s-box/core';
import { digestOf } from './digest.js';
import { MAX_DOCUMENT } from './image-manifest.js';
import { boundedText } from './registry-body.js';
import type { RegistryConnection } from './registry-connection.js';
import type { HttpAnswer } from './registry-transport.js';
import { isTransient, retryAfterMs } from './retry.js';

/** Bytes of one request: a connection that breaks costs no more. */
const CHUNK = 8 * 2 ** 20;
/** Bytes of one request when a registry wants more than that at once. */
const MOST_CHUNK = 64 * 2 ** 20;
/** So often an upload is gone on with after it broke, whatever was sent meanwhile. */
const MOST_RESUMPTIONS = 50;

/** What is to be in a repository. */
export interface BlobContent {
  readonly digest: string;
  readonly size: number;
  /** A file that stays as it is meanwhile, or bytes. */
  readonly content: { readonly path: string } | Buffer;
}

/** Where an upload is at. Its address may hold what lets anybody go on with it, and is written nowhere. */
export interface UploadSession {
  readonly location: URL;
  /** Least bytes of a request that is not the last. */
  readonly chunk: number;
}

/** What a registry says of a manifest that it took. */
export interface PutManifest {
  readonly digest: string;
  /** The manifest that it is listed with as a referrer; absent when the registry does not keep referrers. */
  readonly subject?: string;
}

/** Writes one repository of a registry (OCI distribution-spec, "Push"). Concurrent calls are fine. */
export class RegistryWriter {
  private readonly scope: string;

  constructor(private readonly connection: RegistryConnection) {
    this.scope = `repository:${connection.endpoint.path}:pull,push`;
  }

  /** Whether a blob is there. @throws REGISTRY_FAILED, REGISTRY_DENIED */
  async has(digest: string): Promise<boolean> {
    const { connection } = this;
    const answer = await connection.send(connection.url(`blobs/${digest}`), { method: 'HEAD' }, this.scope);
    // Of another host, which it redirects to, only a yes counts.
    const told = answer.status === 404 || answer.url.origin !== connection.endpoint.base.origin;
    if (answer.status !== 200 && !told) throw await connection.failure(answer, `blob ${digest}`);
    await answer.body.dump();
    return answer.status === 200;
  }

  /**
   * Takes a blob over from another repository of the registry.
   * @returns true when it did, and otherwise the upload that it began instead, if it did
   * @throws REGISTRY_FAILED, REGISTRY_DENIED when the registry cannot be spoken to
   */
  async mount(digest: string, from: string): Promise<true | UploadSession | undefined> {
    const url = this.uploads();
    url.searchParams.set('mount', digest);
    url.searchParams.set('from', from);
    let answer: HttpAnswer;
    try {
      answer = await this.connection.send(url, POST, `${this.scope} repository:${from}:pull`);
    } catch (error) {
      // Who may not read there may well write here.
      if (isBoxError(error) && error.code === 'REGISTRY_DENIED') return undefined;
      throw error;
    }
    await answer.body.dump();
    if (answer.status === 201) return true;
    return answer.status === 202 ? this.session(answer) : undefined;
  }

  /**
   * Sends a blob in pieces. Goes on where a connection broke.
   * @param begun an upload that this one goes on with
   * @param onBytes is told how many bytes of the blob are there
   * @throws REGISTRY_FAILED, REGISTRY_DENIED
   */
  async upload(blob: BlobContent, onBytes?: (bytes: number) => void, begun?: UploadSession): Promise<void> {
    let session = begun ?? (await this.begin());
    let done = 0;
    let idle = 0;
    for (let resumptions = 0; done < blob.size;) {
      const from = done;
      const piece = await pieceOf(blob, done, session.chunk);
      const sent = await this.patch(session.location, piece, done);
      if ('location' in sent) {
        session = { ...session, location: sent.location };
        done += piece.length;
      } else {
        idle++;
        if (++resumptions > MOST_RESUMPTIONS) throw this.connection.unreachable(sent.broken);
        await this.connection.waitAfter(idle, sent.broken, sent.askedMs);
        ({ session, done } = await this.standing(session, blob.size));
      }
      if (done > from) idle = 0;
      onBytes?.(done);
    }
    await this.complete(session.location, blob.digest);
  }

  /**
   * Puts a manifest or an index.
   * @param name tag or digest
   * @throws REGISTRY_FAILED, REGISTRY_DENIED, LIMIT_EXCEEDED
   */
  async manifest(name: string, mediaType: string, bytes: Uint8Array): Promise<PutManifest> {
    if (bytes.length > MAX_DOCUMENT) {
      throw new BoxError('LIMIT_EXCEEDED', `manifest is larger than the ${MAX_DOCUMENT} bytes that registries take`);
    }
    const { connection } = this;
    const headers = { 'content-type': mediaType };
    const request = { method: 'PUT', headers, body: Buffer.from(bytes) } as const;
    const answer = await connection.send(connection.url(`manifests/${name}`), request, this.scope);
    if (!isDone(answer)) throw await this.failure(answer, `manifest ${name}`);
    await answer.body.dump();
    const digest = digestOf(bytes);
    const named = answer.header('docker-content-digest');
    if (named?.startsWith('sha256:') === true && named !== digest) {
      throw new BoxError('REGISTRY_FAILED', `registry of ${connection.name} keeps another manifest than it was sent`, {
        details: { sent: digest, kept: named },
      });
    }
    const subject = answer.header('oci-subject');
    return { digest, ...(subject !== undefined && { subject }) };
  }

  private async begin(): Promise<UploadSession> {
    const begun = await this.connection.send(this.uploads(), POST, this.scope);
    if (begun.status !== 202) throw await this.failure(begun, 'blobs');
    await begun.body.dump();
    return this.session(begun);
  }

  private session(answer: HttpAnswer): UploadSession {
    const least = Number(/^\d{1,15}$/.exec(answer.header('oci-chunk-min-length') ?? '')?.[0] ?? 0);
    if (least > MOST_CHUNK) {
      throw new BoxError('REGISTRY_FAILED', `registry of ${this.connection.name} wants ${least} bytes at once`, {
        hint: `at most ${MOST_CHUNK} are sent`,
      });
    }
    return { location: this.locationOf(answer), chunk: Math.max(CHUNK, least) };
  }

  /** Sends a piece, once: what came of it when that failed, the registry says. @throws what will not pass */
  private async patch(
    location: URL,
    piece: Buffer,
    from: number,
  ): Promise<{ location: URL } | { broken: unknown; askedMs?: number | undefined }> {
    const { connection } = this;
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': String(piece.length),
      'content-range': `${from}-${from + piece.length - 1}`,
    };
    const request = { method: 'PATCH', headers, body: inParts(piece), once: true } as const;
    let answer: HttpAnswer;
    try {
      answer = await connection.send(location, request, this.scope);
    } catch (error) {
      if (isBoxError(error)) throw error;
      return { broken: error };
    }
    // 202 by the specification; some say 201 or 204.
    if (isDone(answer)) {
      await answer.body.dump();
      return { location: this.locationOf(answer, location) };
    }
    const broken = await this.failure(answer, 'a blob');
    // It has another part of the blob than was thought, or lost the upload.
    const passes = isTransient(answer.status) || answer.status === 416 || answer.status === 404;
    if (!passes) throw broken;
    return { broken, askedMs: retryAfterMs(answer.header('retry-after'), Date.now()) };
  }

  /** How far an upload has come; a new one where the registry has lost it. */
  private async standing(session: UploadSession, size: number): Promise<{ session: UploadSession; done: number }> {
    const answer = await this.connection.send(session.location, {}, this.scope);
    if (LOST.includes(answer.status)) {
      await answer.body.dump();
      return { session: await this.begin(), done: 0 };
    }
    if (answer.status !== 204) throw await this.failure(answer, 'a blob');
    await answer.body.dump();
    const last = Number(/^(?:bytes=)?0-(\d{1,15})$/.exec(answer.header('range') ?? '')?.[1] ?? 0);
    // Registries write 0-0 for nothing, since a range cannot say it; pieces of one byte are not sent.
    const done = last === 0 ? 0 : last + 1;
    if (done > size) throw this.refused('says that more of a blob came than was sent');
    return { session: { ...session, location: this.locationOf(answer, session.location) }, done };
  }

  private async complete(location: URL, digest: string): Promise<void> {
    const url = new URL(location);
    url.searchParams.set('digest', digest);
    const answer = await this.connection.send(url, { method: 'PUT' }, this.scope);
    if (isDone(answer)) return await answer.body.dump();
    const failure = await this.failure(answer, 'a blob');
    // Repeated after its answer was lost, it finds the upload at its end.
    if (answer.status !== 404 || !(await this.has(digest))) throw failure;
  }

  private async failure(answer: HttpAnswer, what: string): Promise<BoxError> {
    const { status } = answer;
    const known = status === 401 || status === 403 || isTransient(status);
    if (known) return await this.connection.failure(answer, what);
    const code = errorCode(await boundedText(answer, MOST_ERROR).catch(() => undefined));
    const reason = code === undefined ? `status ${status}` : `status ${status}, ${code}`;
    return new BoxError('REGISTRY_FAILED', `registry of ${this.connection.name} does not take ${what}: ${reason}`, {
      hint: 'check the name, and what the registry allows',
    });
  }

  private uploads(): URL {
    return this.connection.url('blobs/uploads/');
  }

  private locationOf(answer: HttpAnswer, otherwise?: URL): URL {
    const location = answer.header('location');
    if (location === undefined && otherwise !== undefined) return otherwise;
    const url =
      location !== undefined && URL.canParse(location, answer.url.href) ? new URL(location, answer.url) : undefined;
    if (url === undefined) throw this.refused('names no place to send a blob to');
    if (!this.connection.trusts(url)) throw this.refused('wants a blob to be sent to an address without TLS');
    return url;
  }

  private refused(what: string): BoxError {
    return new BoxError('REGISTRY_FAILED', `registry of ${this.connection.name} ${what}`, {
      hint: 'its administrator has to correct that',
    });
  }
}

const POST = { method: 'POST' } as const;
/** What registries say of an upload that they do not know, or of which they have another part than its address says. */
const LOST = [400, 404, 410, 416];
const MOST_ERROR = 64 * 1024;
/** So small that a slow network takes each in time. */
const PART = 64 * 1024;

function isDone({ status }: HttpAnswer): boolean {
  return status >= 200 && status <= 299;
}

/** The same each time that it is read. */
function inParts(piece: Buffer): AsyncIterable<Buffer> {
  return {
    async *[Symbol.asyncIterator]() {
      for (let at = 0; at < piece.length; at += PART) yield piece.subarray(at, at + PART);
    },
  };
}

/** The code of an error as registries write it (distribution-spec, "Error Codes"). */
function errorCode(text: string | undefined): string | undefined {
  try {
    const { errors } = JSON.parse(text ?? '') as { errors?: unknown };
    const code = Array.isArray(errors) ? (errors[0] as { code?: unknown } | undefined)?.code : undefined;
    return typeof code === 'string' && /^[A-Z_]{1,64}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

async function pieceOf({ content, size }: BlobContent, start: number, most: number): Promise<Buffer> {
  const length = Math.min(most, size - start);
  if (Buffer.isBuffer(content)) return content.subarray(start, start + length);
  const parts: Buffer[] = [];
  const stream = createReadStream(content.path, { start, end: start + length - 1 });
  for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
