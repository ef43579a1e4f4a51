import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { DockerConfig, registryOf, serverName } from '../../dist/client/docker-config.js';

describe("Docker's config.json", () => {
  let directory: string;
  let config: DockerConfig;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'docker-config-'));
    config = new DockerConfig(directory);
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const write = (document: unknown): void => writeFileSync(config.file, JSON.stringify(document));
  const auth = (pair: string): string => Buffer.from(pair).toString('base64');

  it('gives back what it keeps, whatever it is', async () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme-ascii' }).filter((it) => !it.endsWith('\0'));
    await fc.assert(
      fc.asyncProperty(
        text.filter((it) => !it.includes(':')),
        text,
        async (username, password) => {
          await config.keep({ registry: 'r.lan', username, password });
          assert.deepEqual(await config.credentials('r.lan'), { registry: 'r.lan', username, password });
        },
      ),
      { numRuns: 30 },
    );
    assert.equal(statSync(config.file).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(directory), ['config.json']);
  });

  it('is found by the names that Docker has used for registries', async () => {
    write({ auths: { 'https://r.lan:5000/v1/': { auth: auth('a:b:c') }, 'index.docker.io': { auth: auth('h:i') } } });
    assert.deepEqual(await config.credentials('r.lan:5000'), {
      registry: 'r.lan:5000',
      username: 'a',
      password: 'b:c',
    });
    assert.equal((await config.credentials('docker.io'))?.username, 'h');
    assert.equal(await config.credentials('r.lan'), undefined);
    assert.equal(registryOf(serverName('docker.io')), 'docker.io');
  });

  it('keeps what else is in it, and a link a link', async () => {
    const file = join(directory, 'elsewhere.json');
    writeFileSync(file, JSON.stringify({ psFormat: 'x', auths: { a: {}, b: { auth: auth('b:b') } } }));
    symlinkSync(file, config.file);
    await config.keep({ registry: 'docker.io', username: 'u', password: 'p' });
    assert.equal(await config.forget('b'), true);
    assert.equal(await config.forget('b'), false);
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
      psFormat: 'x',
      auths: { a: {}, 'https://index.docker.io/v1/': { auth: auth('u:p') } },
    });
  });

  it('names helpers, and none that is a path', async () => {
    write({ credHelpers: { 'r.lan': 'own' }, credsStore: 'all' });
    assert.deepEqual([await config.helper('r.lan'), await config.helper('other')], ['own', 'all']);
    write({ credsStore: '../evil' });
    await assert.rejects(config.helper('x'), { code: 'INVALID_ARGUMENT' });
  });

  it('that is damaged is an error that shows nothing of it', async () => {
    for (const text of ['{"auths":"secret', '[]', JSON.stringify({ auths: { 'r.lan': { auth: 'c2VjcmV0' } } })]) {
      writeFileSync(config.file, text);
      await assert.rejects(config.credentials('r.lan'), (error: Error & { code: string }) => {
        assert.equal(error.code, 'INVALID_ARGUMENT');
        return !/secret/.test(error.message);
      });
    }
  });
});
