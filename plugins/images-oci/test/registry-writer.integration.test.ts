import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, it } from 'mocha';
import { digestOf } from '../dist/digest.js';
import { atFirst, blob, content, small, smallBlob, status, writing } from './support/registry-writing.ts';
import { temporary } from './support/store.ts';
import { type Intercept, type WritableRegistry } from './support/writable-registry.ts';

describe('writing to a registry', () => {
  it('sends a blob in pieces and tells how far it came', () =>
    writing({}, async ({ registry, writer }) => {
      await using place = await temporary();
      const path = join(place.path, 'blob');
      writeFileSync(path, content);
      const told: number[] = [];
      assert.equal(await writer.has(blob.digest), false);
      await writer.upload({ ...blob, content: { path } }, (bytes) => told.push(bytes));
      assert.equal(await writer.has(blob.digest), true);
      assert.deepEqual(registry.blobs.get(`team/app@${blob.digest}`), content);
      assert.deepEqual(told, [8 * 2 ** 20, 16 * 2 ** 20, 20 * 2 ** 20]);
      const ranges = registry.calls.flatMap(({ headers }) => headers['content-range'] ?? []);
      assert.deepEqual(ranges, ['0-8388607', '8388608-16777215', '16777216-20971519']);
    }));

  it('takes the other words for it that a piece came', () =>
    writing({ taken: 201 }, async ({ registry, writer }) => {
      await writer.upload(blob);
      assert.deepEqual(registry.blobs.get(`team/app@${blob.digest}`), content);
    }));

  it('sends an empty blob', () =>
    writing({}, async ({ registry, writer }) => {
      const digest = digestOf('');
      await writer.upload({ digest, size: 0, content: Buffer.alloc(0) });
      assert.equal(registry.blobs.get(`team/app@${digest}`)?.length, 0);
    }));

  it('puts a manifest as it is and says what the registry noticed', () =>
    writing({}, async ({ registry, writer }) => {
      const type = 'application/vnd.oci.image.manifest.v1+json';
      const bytes = Buffer.from(JSON.stringify({ subject: { digest: blob.digest } }));
      const digest = digestOf(bytes);
      assert.deepEqual(await writer.manifest('1.0', type, bytes), { digest, subject: blob.digest });
      assert.deepEqual(registry.manifests.get('team/app:1.0'), { type, bytes });
      assert.deepEqual(await writer.manifest(digestOf(small), type, small), { digest: digestOf(small) });
    }));

  it('takes a blob over from another repository', () =>
    writing({}, async ({ registry, writer }) => {
      registry.blobs.set(`other@${smallBlob.digest}`, small);
      assert.equal(await writer.mount(smallBlob.digest, 'other'), true);
      assert.deepEqual(registry.blobs.get(`team/app@${smallBlob.digest}`), small);
    }));

  it('goes on with the upload that a registry begins where it takes nothing over', () =>
    writing({ mounts: false }, async ({ registry, writer }) => {
      registry.blobs.set(`other@${smallBlob.digest}`, small);
      const begun = await writer.mount(smallBlob.digest, 'other');
      assert.ok(typeof begun === 'object');
      await writer.upload(smallBlob, undefined, begun);
      assert.deepEqual(registry.blobs.get(`team/app@${smallBlob.digest}`), small);
      assert.equal(registry.calls.filter(({ method }) => method === 'POST').length, 1);
    }));
});

/** Reads so many bytes of a request. */
async function readSome(request: IncomingMessage, bytes: number): Promise<Buffer> {
  let read = Buffer.alloc(0);
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    read = Buffer.concat([read, part]);
    if (read.length >= bytes) break;
  }
  return read;
}

const ranges = ({ calls }: WritableRegistry): string[] =>
  calls.filter(({ method }) => method === 'PATCH').map(({ headers }) => headers['content-range'] ?? '');

describe('writing to a registry in trouble', function () {
  this.timeout(30_000);

  it('goes on with what came before the connection broke', async () => {
    let uploads: WritableRegistry['uploads'] | undefined;
    await writing(
      {
        intercept: atFirst(2, 'PATCH', async (request) => {
          const id = /uploads\/([^?]+)/.exec(request.url ?? '')?.[1] ?? '';
          const read = await readSome(request, 1_000_000);
          uploads?.set(id, Buffer.concat([uploads.get(id) ?? Buffer.alloc(0), read]));
          request.socket.destroy();
          return true;
        }),
      },
      async ({ registry, writer }) => {
        ({ uploads } = registry);
        const told: number[] = [];
        await writer.upload(blob, (bytes) => told.push(bytes));
        assert.deepEqual(registry.blobs.get(`team/app@${blob.digest}`), content);
        const starts = ranges(registry).map((range) => Number(range.split('-')[0]));
        assert.equal(starts[0], 0);
        assert.ok((starts[1] as number) >= 1_000_000 && (starts[2] as number) >= 2_000_000, starts.join());
        assert.deepEqual(
          told,
          told.toSorted((a, b) => a - b),
        );
      },
    );
  });

  const brokenPatch = atFirst(1, 'PATCH', (request) => Boolean(request.socket.destroy()));
  const atRange = atFirst(1, 'GET', status(416));
  it('begins anew where the registry says that it has another part than was sent', () =>
    writing({ intercept: (...both) => brokenPatch(...both) || atRange(...both) }, async ({ registry, writer }) => {
      await writer.upload(smallBlob);
      assert.equal(registry.calls.filter(({ method }) => method === 'POST').length, 2);
    }));
  it('begins anew where the registry lost the upload, and repeats what it did not take', async () => {
    let lost = false;
    let current: WritableRegistry | undefined;
    await writing(
      {
        intercept: (request) => {
          if (request.method === 'PATCH' && request.headers['content-range']?.startsWith('8388608-') && !lost) {
            lost = true;
            current?.uploads.clear();
          }
          return false;
        },
      },
      async ({ registry, writer }) => {
        current = registry;
        await writer.upload(blob);
        assert.deepEqual(registry.blobs.get(`team/app@${blob.digest}`), content);
        assert.equal(registry.calls.filter(({ method }) => method === 'POST').length, 2);
        const starts = ranges(registry).map((range) => Number(range.split('-')[0]));
        assert.deepEqual(starts, [0, 8388608, 0, 8388608, 16777216]);
      },
    );
  });

  for (const code of [429, 500, 503, 416]) {
    it(`asks how far it came after status ${code}`, () =>
      writing({ intercept: atFirst(2, 'PATCH', status(code)) }, async ({ registry, writer }) => {
        await writer.upload(smallBlob);
        assert.deepEqual(registry.summary(), [
          'POST /v2/team/app/blobs/uploads/',
          ...['PATCH', 'GET', 'PATCH', 'GET', 'PATCH', 'PUT'].map((it) => `${it} /v2/team/app/blobs/uploads/…`),
        ]);
      }));
  }

  it('waits as long as it is asked to', () =>
    writing({ intercept: atFirst(1, 'PATCH', status(429, { 'retry-after': '1' })) }, async ({ writer }) => {
      const begin = performance.now();
      await writer.upload(smallBlob);
      assert.ok(performance.now() - begin >= 1000);
    }));

  it('gives up after a few attempts without progress, and at once where none can help', async () => {
    const attempts = async (trouble: Intercept, error: object): Promise<number> => {
      let count = 0;
      await writing({ intercept: atFirst(Infinity, 'PATCH', trouble) }, async ({ registry, writer }) => {
        const thrown: unknown = await writer.upload(smallBlob).catch((reason: unknown) => reason);
        assert.throws(() => {
          throw thrown;
        }, error);
        // Who has an upload's address can go on with it.
        assert.doesNotMatch(inspect(thrown, { depth: 9 }), /test-password|state=/);
        count = registry.calls.filter(({ method }) => method === 'PATCH').length;
      });
      return count;
    };
    assert.equal(await attempts(status(502), { code: 'REGISTRY_FAILED', message: /status 502/ }), 3);
    const broken: Intercept = (request) => Boolean(request.socket.destroy());
    assert.equal(await attempts(broken, { code: 'REGISTRY_FAILED', message: /cannot be reached/ }), 3);
    assert.equal(await attempts(status(429, { 'retry-after': '7200' }), { code: 'REGISTRY_FAILED', hint: /rate/ }), 1);
    assert.equal(await attempts(status(403), { code: 'REGISTRY_DENIED' }), 1);
    const invalid = status(400, {}, '{"errors":[{"code":"SIZE_INVALID","message":"\\u001b[31m"}]}');
    const message = /team\/app does not take a blob: status 400, SIZE_INVALID$/;
    assert.equal(await attempts(invalid, { code: 'REGISTRY_FAILED', message }), 1);
  });

  it('does not wait for ever for a registry that is silent', () =>
    writing({ silenceMs: 300, intercept: atFirst(Infinity, 'PATCH', () => true) }, async ({ writer }) => {
      await assert.rejects(writer.upload(smallBlob), { code: 'REGISTRY_FAILED' });
    }));

  it('finds a blob that came whole before the answer was lost', async () => {
    let current: WritableRegistry | undefined;
    await writing(
      {
        intercept: atFirst(1, 'PUT', (request) => {
          const [id = ''] = current?.uploads.keys() ?? [];
          current?.blobs.set(`team/app@${smallBlob.digest}`, current.uploads.get(id) as Buffer);
          current?.uploads.delete(id);
          request.socket.destroy();
          return true;
        }),
      },
      async ({ registry, writer }) => {
        current = registry;
        await writer.upload(smallBlob);
        assert.equal(registry.calls.filter(({ method }) => method === 'PUT').length, 2);
      },
    );
  });

  it('does without what another repository does not hand over', async () => {
    for (const code of [401, 403, 404, 405]) {
      const trouble = atFirst(2, 'POST', status(code, code === 401 ? { 'www-authenticate': 'Basic' } : {}));
      await writing({ intercept: trouble }, async ({ writer }) =>
        assert.equal(await writer.mount(smallBlob.digest, 'other'), undefined),
      );
    }
  });

  it('sends pieces as large as the registry wants, if it wants no absurd ones', async () => {
    const wanting = (bytes: number): Intercept =>
      atFirst(1, 'POST', (_request, response) => {
        response.setHeader('oci-chunk-min-length', String(bytes));
        return false;
      });
    await writing({ intercept: wanting(12 * 2 ** 20) }, async ({ registry, writer }) => {
      await writer.upload(blob);
      assert.deepEqual(ranges(registry), ['0-12582911', '12582912-20971519']);
    });
    await writing({ intercept: wanting(2 ** 40) }, ({ writer }) =>
      assert.rejects(writer.upload(blob), { code: 'REGISTRY_FAILED', message: /wants 1099511627776 bytes/ }),
    );
  });

  it('does not believe a registry that keeps another manifest', () =>
    writing(
      { intercept: atFirst(1, 'PUT', status(201, { 'docker-content-digest': blob.digest })) },
      async ({ writer }) => {
        await assert.rejects(writer.manifest('1', 'x/y', small), {
          code: 'REGISTRY_FAILED',
          message: /another manifest/,
        });
      },
    ));

  const tooMuch: Intercept = (request, response) => {
    if (request.method === 'PATCH') return status(500)(request, response);
    return request.method === 'GET' && status(204, { range: '0-999' })(request, response);
  };
  it('refuses to be told that more came than was sent', () =>
    writing({ intercept: tooMuch }, async ({ writer }) => {
      await assert.rejects(writer.upload(smallBlob), { code: 'REGISTRY_FAILED', message: /more of a blob/ });
    }));
});
