import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { describe, it } from 'mocha';
import { parseTrustRoot } from '../dist/trust-root.js';
import { attest, signImage } from '../dist/sign-image.js';
import { verifyAttestations, verifyImage } from '../dist/verify-image.js';
import { FakeSigstore } from './support/fake-sigstore.ts';
import { MemoryRegistry } from './support/memory-registry.ts';
import { sigstoreServer, type SigstoreServer } from './support/sigstore-server.ts';

const sigstore = new FakeSigstore();
const trustRoot = parseTrustRoot(Buffer.from(JSON.stringify(sigstore.trustedRoot())));
const now = new Date();
const by = (subject: string) =>
  ({
    kind: 'keyless',
    trustRoot,
    identities: [{ subject: { is: subject }, issuer: { is: 'https://accounts.example' } }],
  }) as const;
const SPDX = 'https://spdx.dev/Document';

describe('signatures without a key of their own', function () {
  this.timeout(60_000);

  const signerOf = ({ url, token }: SigstoreServer, more: { identityToken?: string; timestampUrl?: string } = {}) =>
    ({ kind: 'keyless', identityToken: token, fulcioUrl: url, rekorUrl: `${url}/`, ...more }) as const;

  for (const stamped of [false, true]) {
    it(`are good for who the token is of${stamped ? ', with a timestamp' : ''}`, async () => {
      await using server = await sigstoreServer(sigstore);
      const registry = new MemoryRegistry(true);
      const subject = await registry.putImage();
      const signer = signerOf(server, stamped ? { timestampUrl: server.url } : {});
      await signImage(registry, { subject, signer, now });
      const { signer: found } = await verifyImage(registry, [subject.digest], by('dev@example.com'));
      assert.deepEqual(found, {
        kind: 'certificate',
        subject: 'dev@example.com',
        issuer: 'https://accounts.example',
        logged: true,
      });
      await assert.rejects(verifyImage(registry, [subject.digest], by('other@example.com')), {
        code: 'SIGNER_IDENTITY_MISMATCH',
      });
      assert.equal(server.requests.includes('/api/v1/timestamp'), stamped);
      await attest(registry, { subject, signer, now }, SPDX, { packages: [] });
      assert.equal((await verifyAttestations(registry, [subject.digest], SPDX, by('dev@example.com'))).length, 1);
    });
  }

  it('are not made where a service does not take part, and no token is told', async () => {
    const registry = new MemoryRegistry(true);
    const subject = await registry.putImage();
    const manifests = registry.manifests.size;
    await using server = await sigstoreServer(sigstore);
    const [head = '', body = ''] = server.token.split('.');
    const other = `${head}.${body}.b3RoZXI`;
    const refused = async (signer: ReturnType<typeof signerOf>, code: string, message: RegExp): Promise<void> => {
      await assert.rejects(signImage(registry, { subject, signer, now }), (error: Error & { code?: string }) => {
        assert.deepEqual([error.code, message.test(error.message)], [code, true], error.message);
        assert.ok(!inspect(error, { depth: 9 }).includes(signer.identityToken), 'no token');
        return true;
      });
    };
    await refused(signerOf(server, { identityToken: other }), 'SIGNING_FAILED', /the token is not good/);
    await refused(signerOf(server, { identityToken: 'no.a.token' }), 'INVALID_ARGUMENT', /no JSON Web Token/);
    for (const path of ['/api/v2/signingCert', '/api/v1/log/entries', '/api/v1/timestamp']) {
      await using broken = await sigstoreServer(sigstore, path);
      await refused(signerOf(broken, { timestampUrl: broken.url }), 'SIGNING_FAILED', /out of order/);
    }
    for (const url of ['http://fulcio.example', 'fulcio.example', 'file:///x']) {
      await refused({ ...signerOf(server), fulcioUrl: url }, 'INVALID_ARGUMENT', /is no https address/);
    }
    assert.equal(registry.manifests.size, manifests, 'nothing was put beside the image');
  });
});
