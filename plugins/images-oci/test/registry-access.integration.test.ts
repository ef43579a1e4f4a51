import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, it } from 'mocha';
import type { RegistrySettings } from '@a3s-box/core';
import { archive } from '../../erofs/test/support/tar-builder.ts';
import { connectProxy } from './support/connect-proxy.ts';
import { dockerRegistry, USER } from './support/docker-registry.ts';
import { fakeRegistry, imageContent, send, type Answer } from './support/fake-registry.ts';
import { writeLayout } from './support/oci-layout.ts';
import { needPrograms } from './support/programs.ts';
import { assertExactly } from './support/store-files.ts';
import { operation, temporary, testStore } from './support/store.ts';
import { testAuthority } from './support/test-authority.ts';
import { tokenServer } from './support/token-server.ts';
import { guestPlatform } from '../dist/platform.js';

const { architecture } = guestPlatform();
const layers = [archive([{ name: 'a', data: randomBytes(50_000) }])];
const plain = { ...operation, plainHttp: true };
const basic = `Basic ${Buffer.from('me:pass').toString('base64')}`;
const settings = (some: Partial<RegistrySettings>): RegistrySettings => ({ hosts: {}, routes: [], ...some });

describe('credentials of a pull', () => {
  it('go to the registry that they are for, and to no other, whatever it redirects to', async () => {
    const content = imageContent(layers, architecture);
    // The other host asks for credentials as well, at first.
    let asked = false;
    await using storage = await fakeRegistry(content, (request, response, body) => {
      if (asked) return send(request, response, body);
      asked = true;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    const answer: Answer = (request, response, body) => {
      if (request.headers.authorization !== basic) {
        return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      }
      if (request.url?.includes('/blobs/') !== true) return send(request, response, body);
      response.writeHead(307, { location: `http://${storage.host}${request.url}` }).end();
    };
    await using registry = await fakeRegistry(content, answer);
    await using made = await testStore();
    const mine = { registry: registry.host, username: 'me', password: 'pass' };
    const other = { registry: storage.host, username: 'other', password: 'secret' };
    const pull = () => made.store.pull(`${registry.host}/x`, { ...plain, credentials: [other, mine] });
    await assert.rejects(pull(), { code: 'REGISTRY_DENIED' });
    assertExactly(made.directory, [await pull()]);
    assert.ok(storage.requests.length > 1);
    assert.ok(storage.requests.every(({ authorization }) => authorization === undefined));
    const wrong = { ...mine, password: 'no' };
    await assert.rejects(made.store.pull(`${registry.host}/x`, { ...plain, credentials: [wrong] }), (error: Error) => {
      assert.match(error.message, /does not take the credentials/);
      return !JSON.stringify(error).includes('pass"');
    });
  });

  it('may be an identity token, which is exchanged, or a token of the registry', async () => {
    const bodies: string[] = [];
    await using tokens = await fakeRegistry(new Map(), (request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => bodies.push(text));
      request.on('end', () => response.end('{"access_token":"given"}'));
    });
    const challenge = `Bearer realm="http://${tokens.host}/token",service="reg"`;
    await using registry = await fakeRegistry(imageContent(layers, architecture), (request, response, body) => {
      if (request.headers.authorization === 'Bearer given') return send(request, response, body);
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    });
    await using made = await testStore();
    const host = registry.host;
    await made.store.pull(`${host}/x`, { ...plain, credentials: [{ registry: host, identityToken: 'refresh' }] });
    assert.equal(bodies.length, 1, 'one token for all layers');
    assert.deepEqual(Object.fromEntries(new URLSearchParams(bodies[0])), {
      service: 'reg',
      grant_type: 'refresh_token',
      refresh_token: 'refresh',
      client_id: 'a3s-box',
      scope: 'repository:x:pull',
    });
    await made.store.pull(`${host}/x`, { ...plain, credentials: [{ registry: host, registryToken: 'given' }] });
    assert.equal(bodies.length, 1);
    await assert.rejects(
      made.store.pull(`${host}/x`, { ...plain, credentials: [{ registry: host, registryToken: 'a\r\nb: c' }] }),
      { code: 'INVALID_ARGUMENT' },
    );
  });

  it('get tokens of a service for docker-registry, and nobody else gets private images', async function () {
    this.timeout(120_000);
    needPrograms(this, 'docker-registry', 'skopeo', 'openssl');
    await using place = await temporary();
    const authority = testAuthority(place.path);
    const signer = authority.issue('signer', ['DNS:signer']);
    await using tokens = await tokenServer({ ...signer, user: `${USER.name}:${USER.password}` });
    const token = { realm: tokens.realm, authority: authority.certificate };
    await using registry = await dockerRegistry(place.path, { token });
    writeLayout(join(place.path, 'layout'), [{ tag: 'x', layers }]);
    // At the same time as the token service, which is in this process.
    const skopeo = ['copy', '-q', '--dest-tls-verify=false', '--dest-creds', `${USER.name}:${USER.password}`];
    for (const name of ['public/app:1', 'private/app:1']) {
      const to = `docker://${registry.host}/${name}`;
      await promisify(execFile)('skopeo', [...skopeo, `oci:${join(place.path, 'layout')}:x`, to], { timeout: 30_000 });
    }
    await using made = await testStore();
    await made.store.pull(`${registry.host}/public/app:1`, plain);
    await assert.rejects(made.store.pull(`${registry.host}/private/app:1`, plain), {
      code: 'REGISTRY_DENIED',
      hint: /a3s-box login/,
    });
    const known = { registry: registry.host, username: USER.name, password: USER.password };
    const image = await made.store.pull(`${registry.host}/private/app:1`, { ...plain, credentials: [known] });
    assert.ok(image.names.includes(`${registry.host}/private/app:1`));
    await made.store.login({ ...plain, credentials: known });
    await assert.rejects(made.store.login({ ...plain, credentials: { ...known, password: 'no' } }), {
      code: 'REGISTRY_DENIED',
    });
  });
});

describe('the way to a registry', () => {
  it('leads over mirrors, and to the registry when they lack the image', async () => {
    const content = imageContent(layers, architecture);
    await using empty = await fakeRegistry(new Map());
    await using mirror = await fakeRegistry(content);
    const hosts = { [empty.host]: { plainHttp: true }, [mirror.host]: { plainHttp: true } };
    const route = { prefix: 'registry.example', mirrors: [`${empty.host}/hub`, mirror.host] };
    await using made = await testStore();
    const image = await made.store.pull('registry.example/x', {
      ...operation,
      settings: settings({ hosts, routes: [route] }),
    });
    assert.deepEqual(image.names, ['registry.example/x:latest']);
    assert.equal(empty.requests[0]?.url, '/v2/hub/x/manifests/latest');
    const known = made.store.registriesOf('registry.example/x', settings({ routes: [route] }));
    assert.deepEqual(known, [empty.host, mirror.host, 'registry.example']);
  });

  it('is another where a route says so', async () => {
    await using registry = await fakeRegistry(imageContent(layers, architecture));
    await using made = await testStore();
    const image = await made.store.pull('team.example/y', {
      ...operation,
      settings: settings({
        hosts: { [registry.host]: { plainHttp: true } },
        routes: [{ prefix: 'team.example/y', location: `${registry.host}/x` }],
      }),
    });
    assert.deepEqual(image.names, ['team.example/y:latest']);
  });

  it('leads through a proxy, with TLS by a private authority to its end', async function () {
    this.timeout(120_000);
    needPrograms(this, 'docker-registry', 'skopeo', 'openssl');
    await using place = await temporary();
    const authority = testAuthority(place.path);
    const tls = authority.issue('registry', ['DNS:registry.invalid', 'IP:127.0.0.1']);
    await using registry = await dockerRegistry(place.path, { tls });
    writeLayout(join(place.path, 'layout'), [{ tag: 'x', layers }]);
    registry.push(join(place.path, 'layout'), 'x', 'app:1');
    // Names that nobody can look up show that the proxy was asked.
    await using proxy = await connectProxy(Number(registry.host.split(':')[1]));
    await using made = await testStore();
    const authorities = [readFileSync(authority.certificate, 'utf8')];
    const hosts = { 'registry.invalid': { authorities } };
    const through = { http: '', https: proxy.url };
    const pull = (some: Partial<RegistrySettings>) =>
      made.store.pull('registry.invalid/app:1', { ...operation, settings: settings(some) });
    await assert.rejects(pull({ proxy: through }), { code: 'REGISTRY_FAILED', message: /certificate/ });
    assert.deepEqual((await pull({ proxy: through, hosts })).names, ['registry.invalid/app:1']);
    assert.ok(proxy.asked.length > 0 && proxy.asked.every((target) => target === 'registry.invalid:443'));
    const before = proxy.asked.length;
    await assert.rejects(pull({ hosts, proxy: { ...through, noProxy: '.invalid' } }), { code: 'REGISTRY_FAILED' });
    assert.equal(proxy.asked.length, before);
  });
});
