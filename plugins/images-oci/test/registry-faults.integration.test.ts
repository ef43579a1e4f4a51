import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'mocha';
import type { Progress, PullOptions } from '@a3s-box/core';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { fakeRegistry, imageContent, send, type Answer } from './support/fake-registry.ts';
import { assertExactly } from './support/store-files.ts';
import { operation, testStore } from './support/store.ts';
import { guestPlatform } from '../dist/platform.js';

const { architecture } = guestPlatform();
const layers = [archive([{ name: 'a', data: randomBytes(400_000) }]), archive([{ name: 'b', data: randomBytes(5) }])];
const plain = { ...operation, plainHttp: true };

/** Answers a range as registries do. */
function sendRange(request: IncomingMessage, response: ServerResponse, body: Buffer, most = Infinity): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const rest = body.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    'content-length': rest.length,
    ...(from > 0 && { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` }),
  });
  if (rest.length <= most) return void response.end(rest);
  response.write(rest.subarray(0, most), () => response.destroy());
}

/** Answers as told so many times, then as it should. */
function atFirst(times: number, answer: Answer, then: Answer = send): Answer {
  const seen = new Map<string, number>();
  return (request, response, body) => {
    const count = (seen.get(request.url ?? '') ?? 0) + 1;
    seen.set(request.url ?? '', count);
    (count <= times ? answer : then)(request, response, body);
  };
}

async function pulled(answer: Answer, options: Partial<PullOptions> = {}): Promise<readonly string[]> {
  await using registry = await fakeRegistry(imageContent(layers, architecture), answer);
  await using made = await testStore();
  const image = await made.store.pull(`${registry.host}/x`, { ...plain, ...options });
  assertExactly(made.directory, [image]);
  return registry.requests.map(({ url }) => url);
}

async function fails(answer: Answer, error: object): Promise<number> {
  await using registry = await fakeRegistry(imageContent(layers, architecture), answer);
  await using made = await testStore();
  await assert.rejects(made.store.pull(`${registry.host}/x`, plain), error);
  assertExactly(made.directory, []);
  return registry.requests.length;
}

describe('a pull from a registry in trouble', () => {
  const status =
    (code: number, headers: Record<string, string> = {}): Answer =>
    (_request, response) =>
      void response.writeHead(code, headers).end('busy');

  it('tries again after errors of the server and of the connection', async () => {
    for (const trouble of [status(500), status(503), status(429), ((request) => request.socket.destroy()) as Answer]) {
      const urls = await pulled(atFirst(2, trouble));
      assert.equal(urls.filter((url) => url.endsWith('/manifests/latest')).length, 3);
    }
  });

  it('waits as long as it is asked to, and not for hours', async () => {
    const begin = performance.now();
    await pulled((request, response, body) =>
      first(request) ? status(429, { 'retry-after': '1' })(request, response, body) : send(request, response, body),
    );
    assert.ok(performance.now() - begin >= 1000);
    assert.equal(await fails(status(429, { 'retry-after': '7200' }), { code: 'REGISTRY_FAILED', hint: /rate/ }), 1);
  });

  it('gives up after a few attempts, and not before', async () => {
    assert.equal(await fails(status(502), { code: 'REGISTRY_FAILED', message: /status 502/ }), 3);
    assert.equal(await fails(status(403), { code: 'REGISTRY_DENIED' }), 1);
    assert.equal(await fails(status(501), { code: 'REGISTRY_FAILED' }), 1);
  });

  it('goes on with a layer where its connection broke', async () => {
    const ranges: string[] = [];
    await pulled((request, response, body) => {
      if (body === undefined || body.length < 100_000) return send(request, response, body);
      ranges.push(request.headers.range ?? '');
      sendRange(request, response, body, 70_000);
    });
    assert.ok(ranges.length >= 5, ranges.join());
    const starts = ranges.map((range) => Number(/\d+/.exec(range)?.[0] ?? 0));
    assert.deepEqual(
      starts,
      starts.toSorted((a, b) => a - b),
    );
    assert.ok(new Set(starts).size > 3);
  });

  it('goes on also where the registry knows no ranges, and checks the whole', async () => {
    await pulled(
      atFirst(2, (request, response, body) => {
        if (body === undefined || body.length < 100_000) return send(request, response, body);
        response.writeHead(200, { 'content-length': body.length });
        response.write(body.subarray(0, 150_000), () => response.destroy());
      }),
    );
    await fails(
      (request, response, body) => {
        if (body === undefined || body.length < 100_000) return send(request, response, body);
        if (request.headers.range === undefined) return sendRange(request, response, body, 70_000);
        const changed = Buffer.from(body);
        changed[changed.length - 100] = (changed[changed.length - 100] as number) ^ 1;
        sendRange(request, response, changed);
      },
      { code: 'IMAGE_CORRUPT' },
    );
  });

  it('does not take another range for the one it asked for', () =>
    fails(
      (request, response, body) => {
        if (body === undefined || body.length < 100_000) return send(request, response, body);
        if (request.headers.range === undefined) return sendRange(request, response, body, 70_000);
        response.writeHead(206, { 'content-range': `bytes 390000-${body.length - 1}/${body.length}` });
        response.end(body.subarray(390_000));
      },
      { code: 'REGISTRY_FAILED', message: /another range/ },
    ));

  it('says when a layer is shorter than its manifest names', () =>
    fails(
      (request, response, body) => {
        if (body === undefined || body.length < 100_000) return send(request, response, body);
        response.writeHead(200);
        response.end(body.subarray(0, 90_000));
      },
      { code: 'IMAGE_CORRUPT', message: /ends blob/ },
    ));

  it('does not wait for ever for a registry that is silent', async () => {
    const begin = performance.now();
    await fails(
      (request, response, body) => {
        if (body === undefined || body.length < 100_000) return send(request, response, body);
        response.writeHead(200, { 'content-length': body.length });
        response.write(body.subarray(0, 10_000));
      },
      { code: 'REGISTRY_FAILED' },
    );
    assert.ok(performance.now() - begin < 15_000);
  }).timeout(30_000);

  it('takes bytes that come slowly', async () => {
    await pulled((request, response, body) => {
      if (body === undefined || body.length < 100_000) return send(request, response, body);
      response.writeHead(200, { 'content-length': body.length });
      let at = 0;
      const timer = setInterval(() => {
        response.write(body.subarray(at, at + 50_000));
        at += 50_000;
        if (at >= body.length) {
          clearInterval(timer);
          response.end();
        }
      }, 20);
    });
  });

  it('refuses an image that is larger than allowed before it fetches any of it', async () => {
    await using registry = await fakeRegistry(imageContent(layers, architecture));
    await using made = await testStore({}, { maxImageBytes: 100_000 });
    await assert.rejects(made.store.pull(`${registry.host}/x`, plain), {
      code: 'LIMIT_EXCEEDED',
      hint: /maxImageBytes/,
    });
    assert.ok(registry.requests.every(({ url }) => !url.includes('/blobs/')));
    assertExactly(made.directory, []);
  });

  it('of one image by several at once fetches each layer once', async () => {
    await using registry = await fakeRegistry(imageContent(layers, architecture));
    await using made = await testStore();
    const progress: Progress[] = [];
    const pulls = Array.from({ length: 4 }, () =>
      made.store.pull(`${registry.host}/x`, { ...plain, onProgress: (step) => progress.push(step) }),
    );
    const images = await Promise.all(pulls);
    assertExactly(made.directory, images.slice(0, 1));
    const config = images[0]?.id as string;
    const fetched = registry.requests
      .map(({ url }) => url)
      .filter((url) => /\/blobs\//.test(url) && !url.endsWith(config));
    assert.equal(fetched.length, layers.length, fetched.join('\n'));
    assert.equal(progress.filter(({ phase }) => phase === 'exists').length, 3 * layers.length);
  });

  it('goes on by another when the one that fetches for both is cancelled', async () => {
    const cancel = new AbortController();
    const content = imageContent(layers, architecture);
    await using registry = await fakeRegistry(content, (request, response, body) => {
      if (body === undefined || body.length < 100_000 || cancel.signal.aborted) return send(request, response, body);
      response.writeHead(200);
      // Both wait for this layer by then, or the second begins it anew.
      response.write(body.subarray(0, 1000), () => setTimeout(() => cancel.abort(), 100));
    });
    await using made = await testStore();
    const first = made.store.pull(`${registry.host}/x`, { ...plain, signal: cancel.signal });
    const second = made.store.pull(`${registry.host}/x`, plain);
    await assert.rejects(first, { code: 'CANCELLED' });
    assertExactly(made.directory, [await second]);
  });

  const asked = new WeakSet<object>();
  /** Whether it is the first request of this server. */
  function first(request: IncomingMessage): boolean {
    const server = request.socket as unknown as { server: object };
    if (asked.has(server.server)) return false;
    asked.add(server.server);
    return true;
  }
});
