import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { RegistryFiles } from '../../dist/registries/registry-files.js';
import { HomeLayout } from '../../dist/store/home-layout.js';

const [CERTIFICATE = '', OTHER = ''] = rootCertificates;

describe("a home's registry configuration", () => {
  let home: string;
  beforeEach(() => (home = mkdtempSync(join(tmpdir(), 'registries-'))));
  afterEach(() => rmSync(home, { recursive: true }));
  const files = (defaults = {}) => new RegistryFiles(new HomeLayout(home), defaults);
  const write = (document: unknown): void => writeFileSync(join(home, 'registries.json'), JSON.stringify(document));

  it('need not be there', async () => {
    assert.deepEqual(await files().read(), { hosts: {}, routes: [] });
    const proxy = { https: 'http://proxy:3128' };
    assert.deepEqual((await files({ proxy, certificates: join(home, 'none') }).read()).proxy, proxy);
  });

  it('tells of hosts, routes and proxies', async () => {
    writeFileSync(join(home, 'ca.pem'), CERTIFICATE);
    const routes = [{ prefix: 'docker.io', mirrors: ['m.lan'] }];
    const proxy = { http: 'http://own:1', noProxy: '.lan' };
    write({ version: 1, registries: { 'a:1': { plainHttp: true }, b: { caFile: 'ca.pem' } }, routes, proxy });
    assert.deepEqual(await files({ proxy: { https: 'http://other' } }).read(), {
      hosts: { 'a:1': { plainHttp: true }, b: { authorities: [CERTIFICATE] } },
      routes,
      proxy,
    });
  });

  it("finds certificates in Docker's layout, of the host and of the home", async () => {
    const system = join(home, 'system');
    for (const [directory, name, content] of [
      [join(system, 'r:5000'), 'ca.crt', CERTIFICATE],
      [join(home, 'certs.d', 'r:5000'), 'own.crt', OTHER],
      [join(home, 'certs.d', 'r:5000'), 'client.cert', CERTIFICATE],
      [join(home, 'certs.d', 'r:5000'), 'client.key', 'key'],
    ] as const) {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, name), content);
    }
    assert.deepEqual((await files({ certificates: system }).read()).hosts, {
      'r:5000': { authorities: [CERTIFICATE, OTHER], client: { certificate: CERTIFICATE, key: 'key' } },
    });
    rmSync(join(home, 'certs.d', 'r:5000', 'client.key'));
    await assert.rejects(files().read(), { code: 'INVALID_ARGUMENT', message: /client\.key/ });
  });

  it('that is wrong is refused with what is wrong', async () => {
    for (const [document, problem] of [
      [{}, /lacks "version"/],
      [{ version: 1, mirrors: [] }, /unknown property "mirrors"/],
      [{ version: 1, registries: { a: { insecure: true } } }, /unknown property "insecure"/],
      [{ version: 1, registries: { a: { caFile: 'none.pem' } } }, /none\.pem.*ENOENT/],
      [{ version: 1, proxy: { https: 'socks5://x' } }, /proxy/],
    ] as const) {
      write(document);
      await assert.rejects(files().read(), { code: 'INVALID_ARGUMENT', message: problem });
    }
    writeFileSync(join(home, 'registries.json'), '{');
    await assert.rejects(files().read(), { message: /not JSON/ });
  });
});
