/** A registry that is pushed to, on loopback (OCI distribution-spec, "Push"), and does what a test wants. */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Call {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

export interface WritableRegistry extends AsyncDisposable {
  readonly host: string;
  readonly calls: readonly Call[];
  /** By `repository@digest`. */
  readonly blobs: Map<string, Buffer>;
  /** By `repository:tag` and `repository@digest`, with their types. */
  readonly manifests: Map<string, { readonly type: string; readonly bytes: Buffer }>;
  /** Bytes of uploads that go on, by id. */
  readonly uploads: Map<string, Buffer>;
  /** Methods and paths of the calls so far, with what is different each time left out. */
  summary(): string[];
}

/** Answers a request in the registry's place. @returns whether it did */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface WritableRegistryOptions {
  readonly intercept?: Intercept;
  /** The `Location` of an upload, from its path. Default: relative. */
  readonly location?: (path: string) => string;
  /** Whether it takes over from other repositories. */
  readonly mounts?: boolean;
  /** Its answer to a piece that it took. */
  readonly taken?: number;
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export async function writableRegistry({
  intercept = () => false,
  location = (path) => path,
  mounts = true,
  taken = 202,
}: WritableRegistryOptions = {}): Promise<WritableRegistry> {
  const calls: Call[] = [];
  const blobs: WritableRegistry['blobs'] = new Map();
  const manifests: WritableRegistry['manifests'] = new Map();
  const uploads: WritableRegistry['uploads'] = new Map();

  const standing = (repository: string, id: string, length: number) => ({
    location: location(`/v2/${repository}/blobs/uploads/${id}?state=${length}`),
    range: `0-${Math.max(0, length - 1)}`,
  });

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', 'http://x');
    const { method } = request;
    const [, repository = '', kind = '', rest = ''] =
      /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
    const reply = (status: number, headers: Record<string, string> = {}, body?: Buffer | string) =>
      void response.writeHead(status, headers).end(body);
    if (kind === 'blobs') {
      const blob = blobs.get(`${repository}@${rest}`);
      return reply(blob === undefined ? 404 : 200, {}, method === 'HEAD' ? undefined : blob);
    }
    if (kind === 'manifests' && method === 'PUT') {
      const bytes = await bodyOf(request);
      const kept = { type: request.headers['content-type'] ?? '', bytes };
      manifests.set(`${repository}@${sha256(bytes)}`, kept);
      if (!rest.startsWith('sha256:')) manifests.set(`${repository}:${rest}`, kept);
      const { subject } = JSON.parse(bytes.toString()) as { subject?: { digest: string } };
      return reply(201, { 'docker-content-digest': sha256(bytes), ...(subject && { 'oci-subject': subject.digest }) });
    }
    if (kind === 'manifests') {
      const kept = manifests.get(`${repository}${rest.startsWith('sha256:') ? '@' : ':'}${rest}`);
      return reply(kept === undefined ? 404 : 200, kept && { 'content-type': kept.type }, kept?.bytes);
    }
    if (kind !== 'blobs/uploads') return reply(404);
    if (method === 'POST') {
      const from = blobs.get(`${url.searchParams.get('from')}@${url.searchParams.get('mount')}`);
      if (from !== undefined && mounts) {
        blobs.set(`${repository}@${url.searchParams.get('mount')}`, from);
        return reply(201);
      }
      const id = randomUUID();
      uploads.set(id, Buffer.alloc(0));
      return reply(202, standing(repository, id, 0));
    }
    const have = uploads.get(rest);
    if (have === undefined) return reply(404, {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}');
    if (method === 'GET') return reply(204, standing(repository, rest, have.length));
    const start = Number(/^\d+/.exec(request.headers['content-range'] ?? '')?.[0] ?? have.length);
    if (start !== have.length) return reply(416, standing(repository, rest, have.length));
    const parts = [have];
    try {
      for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    } finally {
      // Of a connection that breaks it keeps what came.
      uploads.set(rest, Buffer.concat(parts));
    }
    const all = uploads.get(rest) as Buffer;
    if (method === 'PATCH') return reply(taken, standing(repository, rest, all.length));
    const digest = url.searchParams.get('digest') ?? '';
    if (sha256(all) !== digest) return reply(400, {}, '{"errors":[{"code":"DIGEST_INVALID"}]}');
    blobs.set(`${repository}@${digest}`, all);
    uploads.delete(rest);
    reply(201);
  };

  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    calls.push({ method, url, headers });
    const work = async () => (await intercept(request, response)) || (await answer(request, response));
    // A connection that the test breaks ends what is read from it.
    work().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    blobs,
    manifests,
    uploads,
    summary: () => calls.map(({ method, url }) => `${method} ${url.replace(/[0-9a-f-]{36}.*|sha256:.*/, '…')}`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
