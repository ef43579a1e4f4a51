import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { describe, it } from 'mocha';
import { atFirst, blob, content, small, smallBlob, status, USER, writing } from './support/registry-writing.ts';
import { writableRegistry, type Intercept } from './support/writable-registry.ts';

describe('where a registry wants a blob to be sent', () => {
  const basic = `Basic ${Buffer.from(`${USER.username}:${USER.password}`).toString('base64')}`;
  /** Wants the password. */
  const guarded = (request: IncomingMessage, response: ServerResponse) =>
    request.headers.authorization !== basic &&
    status(401, { 'www-authenticate': 'Basic realm="x"' })(request, response);

  it('is a path, or a whole address', async () => {
    let host = '';
    await writing({ intercept: guarded, location: (path) => `http://${host}${path}` }, async ({ registry, writer }) => {
      ({ host } = registry);
      await writer.upload(smallBlob);
      assert.deepEqual(registry.blobs.get(`team/app@${smallBlob.digest}`), small);
      assert.ok(registry.calls.slice(2).every(({ headers }) => headers.authorization === basic));
    });
  });

  it('is another host, which does not get the credentials', async () => {
    await using other = await writableRegistry();
    const location = (path: string): string => {
      other.uploads.set(/uploads\/([^?]+)/.exec(path)?.[1] ?? '', Buffer.alloc(0));
      return `http://${other.host}${path}`;
    };
    await writing({ intercept: guarded, location }, async ({ registry, writer }) => {
      await writer.upload(blob);
      assert.deepEqual(other.blobs.get(`team/app@${blob.digest}`), content);
      assert.ok(registry.calls.some(({ headers }) => headers.authorization === basic));
      assert.deepEqual(
        other.calls.map(({ method, headers }) => [method, headers.authorization]),
        ['PATCH', 'PATCH', 'PATCH', 'PUT'].map((method) => [method, undefined]),
      );
    });
  });

  it('is no host without TLS that is not this machine, nor nowhere', async () => {
    for (const location of [
      'http://registry.example/x',
      'https://user:secret@registry.example/x',
      'ftp://x/',
      'http://',
    ]) {
      await writing({ location: () => location }, ({ writer }) =>
        assert.rejects(writer.upload(smallBlob), (error: Error & { code?: string }) => {
          assert.equal(error.code, 'REGISTRY_FAILED');
          assert.doesNotMatch(inspect(error), /secret/);
          return true;
        }),
      );
    }
  });

  it('is asked for a blob where it redirects to, without the credentials, and only a yes counts', async () => {
    for (const answer of [200, 403, 500]) {
      await using other = await writableRegistry({ intercept: status(answer) });
      const intercept: Intercept = (request, response) =>
        guarded(request, response) || status(307, { location: `http://${other.host}/blob` })(request, response);
      await writing({ intercept }, async ({ writer }) => {
        assert.equal(await writer.has(blob.digest), answer === 200);
        assert.ok(other.calls.length > 0 && other.calls.every(({ headers }) => headers.authorization === undefined));
      });
    }
  });

  it('is not where a redirect leads to: nothing is sent there', async () => {
    await using other = await writableRegistry();
    const redirect: Intercept = (request, response) =>
      status(307, { location: `http://${other.host}${request.url}` })(request, response);
    await writing({ intercept: atFirst(Infinity, 'PATCH', redirect) }, async ({ writer }) => {
      await assert.rejects(writer.upload(smallBlob), { code: 'REGISTRY_FAILED', message: /status 307/ });
      assert.deepEqual(other.calls, []);
    });
  });

  it('is shown a new token when the old one has run out', async () => {
    let tokens = 0;
    const asked: string[] = [];
    let allowed = '';
    const intercept: Intercept = (request, response) => {
      const { url = '', headers } = request;
      if (url.startsWith('/token')) {
        asked.push(...new URL(url, 'http://x').searchParams.getAll('scope'));
        allowed = `Bearer t${++tokens}`;
        return status(200, {}, JSON.stringify({ token: `t${tokens}` }))(request, response);
      }
      if (headers['content-range']?.startsWith('8388608-') && tokens === 1) allowed = 'none';
      if (headers.authorization === allowed) return false;
      const realm = `http://${headers.host}/token`;
      return status(401, { 'www-authenticate': `Bearer realm="${realm}",service="x"` })(request, response);
    };
    await writing({ intercept }, async ({ registry, writer }) => {
      await writer.upload(blob);
      assert.deepEqual(registry.blobs.get(`team/app@${blob.digest}`), content);
      assert.deepEqual(asked, ['repository:team/app:pull,push', 'repository:team/app:pull,push']);
    });
  });
});
