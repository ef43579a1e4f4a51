import assert from 'node:assert/strict';
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { describe, it } from 'mocha';
import { generateKeyPair, parsePrivateKey } from '../dist/private-key.js';
import { parsePublicKey } from '../dist/public-key.js';
import { listReferrers } from '../dist/referrers.js';
import { attest, signImage, signImageByTag } from '../dist/sign-image.js';
import { predicateTypeOf } from '../dist/statement.js';
import { verifyAttestations, verifyImage } from '../dist/verify-image.js';
import { preAuthEncoding, STATEMENT, statement } from './support/fake-sigstore.ts';
import { digestOf, MemoryRegistry } from './support/memory-registry.ts';

const now = new Date('2026-01-02T03:04:05Z');
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SPDX = predicateTypeOf('spdx');

const byKey = (...keys: KeyObject[]) => ({ kind: 'key', keys }) as const;

describe('signing keys', () => {
  it('makes, opens and uses an encrypted key pair', () => {
    const pair = generateKeyPair(Buffer.from('secret'));
    const key = parsePrivateKey(pair.privateKey, Buffer.from('secret'));
    assert.equal(key.asymmetricKeyType, 'ec');
    assert.equal(parsePublicKey(pair.publicKey).asymmetricKeyDetails?.namedCurve, 'prime256v1');
    assert.throws(() => parsePrivateKey(pair.privateKey, Buffer.from('Secret')), {
      code: 'SIGNING_KEY_INVALID',
      message: /password/,
    });
    assert.throws(() => parsePrivateKey(pair.privateKey.slice(0, -80)), { code: 'SIGNING_KEY_INVALID' });
  });

  it('refuses keys that are weak, of another kind, or none', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const dsa = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
    for (const { privateKey, publicKey } of [weak, dsa]) {
      const secret = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
      assert.throws(() => parsePrivateKey(secret), { code: 'SIGNING_KEY_INVALID' });
      const open = publicKey.export({ format: 'pem', type: 'spki' }).toString();
      assert.throws(() => parsePublicKey(open), { code: 'SIGNING_KEY_INVALID' });
    }
    for (const text of ['', 'x', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n']) {
      assert.throws(() => parsePublicKey(text), { code: 'SIGNING_KEY_INVALID' });
      assert.throws(() => parsePrivateKey(text), { code: 'SIGNING_KEY_INVALID' });
    }
  });
});

for (const knowsReferrers of [true, false]) {
  describe(`images in a registry that ${knowsReferrers ? 'lists referrers' : 'lists no referrers'}`, () => {
    const pairs: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
      'ECDSA on P-256': () => ec,
      'ECDSA on P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
      RSA: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
      Ed25519: () => generateKeyPairSync('ed25519'),
    };
    for (const [kind, make] of Object.entries(pairs)) {
      it(`signs and verifies with ${kind}, in both formats`, async () => {
        const registry = new MemoryRegistry(knowsReferrers);
        const subject = await registry.putImage();
        const { privateKey: key, publicKey } = make();
        await assert.rejects(verifyImage(registry, [subject.digest], byKey(publicKey)), { code: 'IMAGE_UNSIGNED' });
        await signImage(registry, { subject, signer: { kind: 'key', key }, now });
        assert.equal((await verifyImage(registry, [subject.digest], byKey(publicKey))).format, 'bundle');
        const stranger = generateKeyPairSync('ed25519').publicKey;
        await assert.rejects(verifyImage(registry, [subject.digest], byKey(stranger)), { code: 'SIGNATURE_INVALID' });
        const other = new MemoryRegistry(knowsReferrers);
        await other.putImage();
        await signImageByTag(other, { subject, key }, 'registry.example/app');
        assert.equal((await verifyImage(other, [subject.digest], byKey(publicKey))).format, 'tag');
      });
    }

    it('adds signatures to those that there are', async () => {
      const registry = new MemoryRegistry(knowsReferrers);
      const subject = await registry.putImage();
      const others = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
      for (const { privateKey: key } of [...others, ec]) {
        await signImage(registry, { subject, signer: { kind: 'key', key }, now });
        await signImageByTag(registry, { subject, key }, 'registry.example/app');
      }
      for (const { publicKey } of others) await verifyImage(registry, [subject.digest], byKey(publicKey));
      const types = (await listReferrers(registry, subject.digest)).map(({ artifactType, tag }) => tag ?? artifactType);
      const bundle = 'application/vnd.dev.sigstore.bundle.v0.3+json';
      assert.deepEqual(types, [bundle, bundle, bundle, `${subject.digest.replace(':', '-')}.sig`]);
    });

    it('keeps attestations and signatures apart', async () => {
      const registry = new MemoryRegistry(knowsReferrers);
      const subject = await registry.putImage();
      await attest(registry, { subject, signer: { kind: 'key', key: ec.privateKey }, now }, SPDX, {
        name: 'a bill of materials',
      });
      await assert.rejects(verifyImage(registry, [subject.digest], byKey(ec.publicKey)), { code: 'IMAGE_UNSIGNED' });
      const [found] = await verifyAttestations(registry, [subject.digest], SPDX, byKey(ec.publicKey));
      assert.deepEqual(found?.statement.predicate, { name: 'a bill of materials' });
      const slsa = predicateTypeOf('slsaprovenance1');
      await assert.rejects(verifyAttestations(registry, [subject.digest], slsa, byKey(ec.publicKey)), {
        code: 'ATTESTATION_MISSING',
      });
      const stranger = generateKeyPairSync('ed25519').publicKey;
      await assert.rejects(verifyAttestations(registry, [subject.digest], SPDX, byKey(stranger)), {
        code: 'SIGNATURE_INVALID',
      });
    });

    it('reads attestations of the older format, and tells when one is changed', async () => {
      const registry = new MemoryRegistry(knowsReferrers);
      const subject = await registry.putImage();
      const payload = statement(subject.digest, SPDX, { name: 'older' });
      const sig = sign('sha256', preAuthEncoding(STATEMENT, payload), ec.privateKey).toString('base64');
      const put = async (text: Buffer): Promise<void> => {
        const envelope = { payloadType: STATEMENT, payload: text.toString('base64'), signatures: [{ keyid: '', sig }] };
        const bytes = Buffer.from(JSON.stringify(envelope));
        await registry.putBlob(bytes);
        const layer = {
          mediaType: 'application/vnd.dsse.envelope.v1+json',
          digest: digestOf(bytes),
          size: bytes.length,
        };
        const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(bytes), size: 2 };
        const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config, layers: [layer] }));
        await registry.putManifest(`${subject.digest.replace(':', '-')}.att`, manifest, 'application/json');
      };
      await put(payload);
      const [found] = await verifyAttestations(registry, [subject.digest], SPDX, byKey(ec.publicKey));
      assert.deepEqual([found?.format, found?.statement.predicate], ['tag', { name: 'older' }]);
      await put(Buffer.from(payload.toString().replace('older', 'other')));
      const changed = verifyAttestations(registry, [subject.digest], SPDX, byKey(ec.publicKey));
      await assert.rejects(changed, { code: 'SIGNATURE_INVALID' });
    });

    it('does not take the signature of one image for that of another', async () => {
      const registry = new MemoryRegistry(knowsReferrers);
      const subject = await registry.putImage();
      const other = `sha256:${'12'.repeat(32)}`;
      await signImageByTag(registry, { subject, key: ec.privateKey }, 'registry.example/app');
      const moved = registry.manifests.get(`${subject.digest.replace(':', '-')}.sig`);
      assert.ok(moved);
      registry.manifests.set(`${other.replace(':', '-')}.sig`, moved);
      await assert.rejects(verifyImage(registry, [other], byKey(ec.publicKey)), { code: 'SIGNATURE_TAMPERED' });
    });

    it('finds a good signature among broken ones', async () => {
      const registry = new MemoryRegistry(knowsReferrers);
      const subject = await registry.putImage();
      await registry.putManifest(`${subject.digest.replace(':', '-')}.sig`, Buffer.from('{}'), 'application/json');
      await assert.rejects(verifyImage(registry, [subject.digest], byKey(ec.publicKey)), {
        code: 'SIGNATURE_MALFORMED',
      });
      if (knowsReferrers) await registry.putBundle(subject, { mediaType: 'none' });
      await signImage(registry, { subject, signer: { kind: 'key', key: ec.privateKey }, now });
      await verifyImage(registry, [`sha256:${'34'.repeat(32)}`, subject.digest], byKey(ec.publicKey));
    });
  });
}
