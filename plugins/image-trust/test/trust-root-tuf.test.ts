import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { trustRootFromTuf } from '../dist/trust-root-tuf.js';
import { bundleClaim } from '../dist/candidates.js';
import { verifyClaim } from '../dist/verify-image.js';
import { keyPair, type KeyPair } from './support/certificates.ts';
import { FakeSigstore, makeBundle } from './support/fake-sigstore.ts';
import { writeTufRepository } from './support/tuf-repository.ts';

const sigstore = new FakeSigstore();
const DIGEST = `sha256:${'ab'.repeat(32)}`;

describe('trust roots in a TUF repository', () => {
  let directory: string;
  let keys: KeyPair;
  const at = (...path: string[]): string => join(directory, ...path);
  const open = (): ReturnType<typeof trustRootFromTuf> =>
    trustRootFromTuf({ root: at('root.json'), repository: at('repository'), cache: at('cache') });

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tuf-'));
    mkdirSync(at('repository'));
    keys = keyPair();
    writeRepository(1);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function writeRepository(version: number, options: { expires?: string; signer?: KeyPair } = {}): void {
    const target = Buffer.from(JSON.stringify(sigstore.trustedRoot()));
    writeTufRepository(at('repository'), { keys, version, target, ...options });
    if (version === 1) writeFileSync(at('root.json'), readFileSync(at('repository', '1.root.json')));
  }

  it('reads the trust root from a directory, without a network', async () => {
    const trustRoot = await open();
    const bundle = Buffer.from(
      JSON.stringify(makeBundle(sigstore, { digest: DIGEST, signer: sigstore.certificate() })),
    );
    assert.equal(verifyClaim(bundleClaim(bundle), DIGEST, { kind: 'anybody', trustRoot }).kind, 'certificate');
    writeRepository(2);
    await open();
  });

  it('refuses a repository that was rolled back, has expired, or is signed by another', async () => {
    writeRepository(3);
    await open();
    writeRepository(2);
    await assert.rejects(open(), { code: 'TRUST_ROOT_INVALID' });
    writeRepository(4, { expires: '2020-01-01T00:00:00Z' });
    await assert.rejects(open(), { code: 'TRUST_ROOT_INVALID', message: /expired/i });
    writeRepository(5, { signer: keyPair() });
    await assert.rejects(open(), { code: 'TRUST_ROOT_INVALID' });
  });

  it('refuses a target that is not the one that was signed', async () => {
    const hash = createHash('sha256').update(JSON.stringify(sigstore.trustedRoot())).digest('hex');
    writeFileSync(
      at('repository', 'targets', `${hash}.trusted_root.json`),
      JSON.stringify(new FakeSigstore().trustedRoot()),
    );
    await assert.rejects(open(), { code: 'TRUST_ROOT_INVALID' });
    rmSync(at('repository', 'targets'), { recursive: true });
    await assert.rejects(open(), { code: 'TRUST_ROOT_INVALID' });
  });
});
