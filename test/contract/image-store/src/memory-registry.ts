import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A registry on loopback that keeps in memory what it is sent (OCI distribution-spec). Anybody may read and write. */
export interface MemoryRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Called with each request before it is answered. */
  onRequest: ((method: string, url: string) => void) | undefined;
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Makes one. */
export async function memoryRegistry(): Promise<MemoryRegistry> {
  const content = new Content();
  const server = createServer((request, response) => {
    registry.onRequest?.(request.method ?? '', request.url ?? '');
    // A connection that ends early ends what is read from it.
    content.answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const registry: MemoryRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    onRequest: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return registry;
}

class Content {
  /** Blobs by `repository@digest`, manifests by `repository:reference`. */
  private readonly kept = new Map<string, { readonly type: string; readonly bytes: Buffer }>();
  private readonly uploads = new Map<string, Buffer>();

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://registry');
    const [, repository = '', kind = '', rest = ''] =
      /^\/v2\/(.+?)\/(blobs\/uploads\/|blobs\/|manifests\/)(.*)$/.exec(url.pathname) ?? [];
    const sent = await bodyOf(request);
    if (kind === 'blobs/uploads/') return this.upload(request, response, { repository, id: rest, sent, url });
    const key = kind === 'blobs/' ? `${repository}@${rest}` : `${repository}:${rest}`;
    if (request.method === 'PUT') {
      const manifest = { type: request.headers['content-type'] ?? '', bytes: sent };
      for (const name of [key, `${repository}:${digestOf(sent)}`]) this.kept.set(name, manifest);
      return void response.writeHead(201).end();
    }
    const found = this.kept.get(key);
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': found?.type ?? 'text/plain' });
    response.end(request.method === 'HEAD' ? undefined : found?.bytes);
  }

  private upload(
    { method }: IncomingMessage,
    response: ServerResponse,
    { repository, id, sent, url }: { repository: string; id: string; sent: Buffer; url: URL },
  ): void {
    const upload = method === 'POST' ? randomUUID() : id;
    const have = Buffer.concat([this.uploads.get(upload) ?? Buffer.alloc(0), sent]);
    const digest = url.searchParams.get('digest');
    if (method === 'PUT' && digest !== null) {
      const right = digest === digestOf(have);
      if (right) this.kept.set(`${repository}@${digest}`, { type: 'application/octet-stream', bytes: have });
      return void response.writeHead(right ? 201 : 400).end();
    }
    this.uploads.set(upload, have);
    const range = `0-${Math.max(0, have.length - 1)}`;
    const location = `/v2/${repository}/blobs/uploads/${upload}`;
    response.writeHead(method === 'GET' ? 204 : 202, { location, range }).end();
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
