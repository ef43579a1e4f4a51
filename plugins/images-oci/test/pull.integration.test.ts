import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'mocha';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { fakeRegistry, imageContent, send, type Answer } from './support/fake-registry.ts';
import { sha256 } from './support/oci-layout.ts';
import { assertExactly } from './support/store-files.ts';
import { operation, testStore } from './support/store.ts';
import { guestPlatform } from '../dist/platform.js';

const { architecture } = guestPlatform();
const layers = [archive([{ name: 'a', data: randomBytes(50_000) }]), archive([{ name: 'b', data: randomBytes(5) }])];
const plain = { ...operation, plainHttp: true };

/** Pulls from a registry that answers so; the store must be empty after a failure. */
async function failing(answer: Answer, error: object, content = imageContent(layers, architecture)): Promise<void> {
  await using registry = await fakeRegistry(content, answer);
  await using made = await testStore();
  await assert.rejects(made.store.pull(`${registry.host}/x`, plain), error);
  assertExactly(made.directory, []);
}

const changing =
  (path: RegExp, change: (body: Buffer) => Buffer): Answer =>
  (request, response, body) =>
    send(request, response, body !== undefined && path.test(request.url ?? '') ? change(body) : body);

const flipped = (body: Buffer): Buffer => {
  const bytes = Buffer.from(body);
  bytes[bytes.length - 9] = (bytes[bytes.length - 9] as number) ^ 1;
  return bytes;
};

describe('a pull', () => {
  it('gets a token where one is asked for, and gives it to the registry alone', async () => {
    const content = imageContent(layers, architecture);
    await using storage = await fakeRegistry(content);
    await using tokens = await fakeRegistry(new Map(), (_request, response) => response.end('{"token":"secret"}'));
    const challenge = `Bearer realm="http://${tokens.host}/token",service="reg",scope="repository:x:pull"`;
    await using registry = await fakeRegistry(content, (request, response, body) => {
      if (request.headers.authorization !== 'Bearer secret') {
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      } else if (request.url?.includes('/blobs/') === true) {
        response.writeHead(307, { location: `http://${storage.host}${request.url}` }).end();
      } else send(request, response, body);
    });
    await using made = await testStore();
    const image = await made.store.pull(`${registry.host}/x`, plain);
    assertExactly(made.directory, [image]);
    assert.equal(tokens.requests[0]?.url, '/token?service=reg&scope=repository%3Ax%3Apull');
    assert.equal(storage.requests.length, 3);
    assert.ok(storage.requests.every(({ authorization }) => authorization === undefined));
  });

  it('reads no more of a token than a token can be', async () => {
    let ended = false;
    await using tokens = await fakeRegistry(new Map(), (_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x')));
      };
      response.on('drain', more).on('close', () => (ended = true));
      response.write('{"token":"', more);
    });
    const challenge = `Bearer realm="http://${tokens.host}/token"`;
    await failing((_request, response) => void response.writeHead(401, { 'www-authenticate': challenge }).end(), {
      code: 'REGISTRY_FAILED',
      message: /gives no token/,
    });
    assert.ok(ended, 'the endless answer was ended');
  });

  it('takes the image of an index that is for the platform', async () => {
    const content = imageContent(layers, architecture);
    const manifest = content.get('manifests/latest') as Buffer;
    const other = { os: 'linux', architecture: 's390x' };
    const entry = (platform: object, digest: string) => ({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest,
      size: manifest.length,
      platform,
    });
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          entry(other, `sha256:${'0'.repeat(64)}`),
          entry({ os: 'unknown', architecture: 'unknown' }, `sha256:${'1'.repeat(64)}`),
          entry(guestPlatform(), sha256(manifest)),
        ],
      }),
    );
    content.set('manifests/latest', index);
    await using registry = await fakeRegistry(content);
    await using made = await testStore();
    const image = await made.store.pull(`${registry.host}/x`, plain);
    assert.equal(image.digest, sha256(manifest));
    assert.equal((await made.store.inspect(`${registry.host}/x@${sha256(index)}`, operation)).id, image.id);
    await assert.rejects(
      made.store.pull(`${registry.host}/x`, { ...plain, platform: { os: 'linux', architecture: 'riscv64' } }),
      {
        code: 'IMAGE_NOT_FOUND',
        hint: /linux\/s390x/,
      },
    );
  });

  it('refuses an image for another platform', () =>
    failing(send, { code: 'IMAGE_NOT_FOUND', message: /is for linux\/mips/ }, imageContent(layers, 'mips')));

  it('refuses a layer with another digest', () =>
    failing(
      changing(/blobs/, (body) => (body[0] === 0x1f ? flipped(body) : body)),
      { code: 'IMAGE_CORRUPT' },
    ));

  it('refuses a config with another digest', () =>
    failing(
      changing(/blobs/, (body) => (body[0] === 0x7b ? flipped(body) : body)),
      { code: 'IMAGE_CORRUPT' },
    ));

  it('refuses a layer whose content is not what the config names', () => {
    const content = imageContent(layers, architecture);
    const config =
      [...content].find(([path, bytes]) => path.startsWith('blobs') && bytes[0] === 0x7b)?.[1].toString() ?? '';
    const lied = Buffer.from(config.replace(sha256(layers[1] as Buffer), `sha256:${'a'.repeat(64)}`));
    const manifest = JSON.parse(String(content.get('manifests/latest'))) as {
      config: { digest: string; size: number };
    };
    manifest.config = { ...manifest.config, digest: sha256(lied), size: lied.length };
    content.set(`blobs/${sha256(lied)}`, lied);
    content.set('manifests/latest', Buffer.from(JSON.stringify(manifest)));
    return failing(send, { code: 'IMAGE_CORRUPT', message: /unpacked layer/ }, content);
  });

  it('refuses more bytes than the manifest names', () =>
    failing(
      changing(/blobs/, (body) => (body[0] === 0x1f ? Buffer.concat([body, Buffer.alloc(1000)]) : body)),
      {
        code: 'IMAGE_CORRUPT',
        message: /more than/,
      },
    ));

  it('reports a connection that breaks', () =>
    failing(
      (request, response, body) => {
        if (body === undefined || body.length < 1000) return send(request, response, body);
        response.writeHead(200, { 'content-length': body.length });
        response.write(body.subarray(0, 20_000), () => response.destroy());
      },
      { code: 'REGISTRY_FAILED' },
    ));

  it('refuses manifests that are none', async () => {
    for (const [text, code] of [
      ['not json', 'IMAGE_CORRUPT'],
      ['[]', 'IMAGE_CORRUPT'],
      ['{"schemaVersion":1}', 'UNSUPPORTED'],
      ['{"schemaVersion":2,"layers":[{}]}', 'IMAGE_CORRUPT'],
      [
        '{"schemaVersion":2,"layers":[],"config":{"mediaType":"application/x","digest":"sha256:' +
          'a'.repeat(64) +
          '","size":1}}',
        'UNSUPPORTED',
      ],
      [
        '{"schemaVersion":2,"layers":[],"config":{"mediaType":"application/x","digest":"sha256:../../x","size":1}}',
        'IMAGE_CORRUPT',
      ],
    ] as const) {
      await failing(send, { code }, new Map([['manifests/latest', Buffer.from(text)]]));
    }
    await failing(send, { code: 'IMAGE_CORRUPT' }, new Map([['manifests/latest', Buffer.alloc(5_000_000, 32)]]));
  });

  it('tells refusal, absence and trouble apart', async () => {
    const status =
      (code: number, headers: Record<string, string> = {}): Answer =>
      (_request, response) =>
        void response.writeHead(code, headers).end();
    await failing(status(404), { code: 'IMAGE_NOT_FOUND' });
    await failing(status(403), { code: 'REGISTRY_DENIED' });
    await failing(status(401), { code: 'REGISTRY_DENIED' });
    await failing(status(401, { 'www-authenticate': 'Basic realm="x"' }), { code: 'REGISTRY_DENIED' });
    await failing(status(429), { code: 'REGISTRY_FAILED', hint: /rate/ });
    await failing(status(500), { code: 'REGISTRY_FAILED' });
    await failing(status(302, { location: 'http://registry.example/x' }), { code: 'REGISTRY_DENIED', message: /TLS/ });
    await failing(status(302, { location: '/v2/x/manifests/latest' }), { code: 'REGISTRY_FAILED', message: /circle/ });
  });

  it('ends when it is cancelled, and leaves nothing', async () => {
    const content = imageContent(layers, architecture);
    const cancel = new AbortController();
    await using registry = await fakeRegistry(content, (request, response, body) => {
      if (body === undefined || body.length < 1000) return send(request, response, body);
      response.writeHead(200);
      response.write(body.subarray(0, 1000), () => cancel.abort());
    });
    await using made = await testStore();
    await assert.rejects(made.store.pull(`${registry.host}/x`, { ...plain, signal: cancel.signal }), {
      code: 'CANCELLED',
    });
    assertExactly(made.directory, []);
  });
});
