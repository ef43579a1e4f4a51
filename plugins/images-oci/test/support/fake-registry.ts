/** A registry that does what a test wants, on loopback. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { sha256 } from './oci-layout.ts';

export type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer | undefined) => void;

export interface FakeRegistry extends AsyncDisposable {
  readonly host: string;
  readonly requests: readonly { readonly url: string; readonly authorization: string | undefined }[];
}

/** Content by path below /v2/x/; a manifest is under its digest and under `latest`. */
export function imageContent(layers: readonly Buffer[], architecture = 'amd64'): Map<string, Buffer> {
  const content = new Map<string, Buffer>();
  const put = (kind: string, bytes: Buffer) => {
    content.set(`${kind}/${sha256(bytes)}`, bytes);
    return { digest: sha256(bytes), size: bytes.length };
  };
  const config = put(
    'blobs',
    Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture,
        config: {},
        rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
      }),
    ),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
      layers: layers.map((layer) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        ...put('blobs', gzipSync(layer)),
      })),
    }),
  );
  put('manifests', manifest);
  content.set('manifests/latest', manifest);
  return content;
}

/** Serves content, through `answer` where it is given. */
export async function fakeRegistry(content: ReadonlyMap<string, Buffer>, answer: Answer = send): Promise<FakeRegistry> {
  const requests: { url: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    requests.push({ url, authorization: request.headers.authorization });
    answer(request, response, content.get(url.replace(/^\/v2\/[a-z]+\//, '')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function send(_request: IncomingMessage, response: ServerResponse, body: Buffer | undefined): void {
  response.writeHead(body === undefined ? 404 : 200);
  response.end(body);
}
