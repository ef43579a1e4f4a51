/** Documents that authorities made for this purpose have signed. */
import { parseTrustRoot } from '../../dist/trust-root.js';
import { FakeSigstore, makeBundle, makeSimple } from '../../test/support/fake-sigstore.ts';
import { keyPair } from '../../test/support/certificates.ts';

export const DIGEST = `sha256:${'ab'.repeat(32)}`;
const sigstore = new FakeSigstore();
export const trustRoot = parseTrustRoot(Buffer.from(JSON.stringify(sigstore.trustedRoot())));

export function* documentSeeds(): Generator<readonly [name: string, input: Buffer]> {
  const signer = sigstore.certificate();
  const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const bundle = makeBundle(sigstore, { digest: DIGEST, signer, timestamp: true });
  yield ['bundle', bytes(bundle)];
  yield ['bundle-by-key', bytes(makeBundle(sigstore, { digest: DIGEST, signer: keyPair() }))];
  yield ['envelope', bytes(bundle['dsseEnvelope'])];
  const { payload, annotations } = makeSimple(sigstore, DIGEST, signer);
  yield ['simple-payload', payload];
  yield ['simple-bundle', Buffer.from(annotations['dev.sigstore.cosign/bundle'] ?? '')];
  yield ['trusted-root', bytes(sigstore.trustedRoot())];
  yield ['public-key', Buffer.from(keyPair().publicKey.export({ format: 'pem', type: 'spki' }))];
  const descriptor = { mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', digest: DIGEST, size: 3 };
  yield ['manifest', bytes({ schemaVersion: 2, config: descriptor, layers: [descriptor], subject: descriptor })];
  yield ['index', bytes({ schemaVersion: 2, manifests: [{ ...descriptor, annotations: { a: 'b' } }] })];
}
