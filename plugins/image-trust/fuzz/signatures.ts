/**
 * Any bytes are taken for a bundle, a signature of the older format, an attestation, a manifest of signatures, a trust
 * root or a key, or refused with a clear error; and nothing but what the authorities of the seeds have made is verified.
 */
import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import { bundleClaim, envelopeClaim, simpleClaim, type Claim } from '../dist/candidates.js';
import { parseArtifact, parseReferrers } from '../dist/manifests.js';
import { parsePrivateKey } from '../dist/private-key.js';
import { parsePublicKey } from '../dist/public-key.js';
import { parseTrustRoot } from '../dist/trust-root.js';
import { verifyClaim } from '../dist/verify-image.js';
import { DIGEST, documentSeeds, trustRoot } from './support/signature-seeds.ts';

const CODE = /^(SIGNATURE|SIGNER|LOG_PROOF|TIMESTAMP|TRUST_ROOT|SIGNING_KEY)_|^LIMIT_EXCEEDED$/;
const SEALED = 'ENCRYPTED SIGSTORE PRIVATE KEY';

export const dictionary = [
  ...['"mediaType":', '"verificationMaterial":', '"certificate":', '"rawBytes":', '"publicKey":', '"hint":'],
  ...['"tlogEntries":', '"logIndex":', '"logId":', '"keyId":', '"kindVersion":', '"integratedTime":'],
  ...['"inclusionPromise":', '"inclusionProof":', '"checkpoint":', '"envelope":', '"canonicalizedBody":'],
  ...['"dsseEnvelope":', '"payload":', '"payloadType":', '"signatures":', '"sig":', '"keyid":', '"messageSignature":'],
  ...['"critical":', '"SignedEntryTimestamp":', '"Payload":', '"manifests":', '"layers":', '"__proto__":', 'null'],
];

export const seeds = documentSeeds;

export function fuzz(input: Buffer): void {
  sound(() => check(bundleClaim(input)));
  sound(() => check(envelopeClaim(input, {})));
  const text = input.toString('latin1');
  sound(() =>
    check(simpleClaim(input, { 'dev.cosignproject.cosign/signature': 'AAAA', 'dev.sigstore.cosign/bundle': text })),
  );
  sound(() => void parseArtifact(input));
  sound(() => void parseReferrers(input));
  sound(() => void parseTrustRoot(input));
  sound(() => void parsePublicKey(text));
  // Without the cost of scrypt: what is sealed is taken only as far as its description.
  if (!text.includes('scrypt')) sound(() => void parsePrivateKey(text));
  if (!text.includes('scrypt'))
    sound(
      () => void parsePrivateKey(`-----BEGIN ${SEALED}-----\n${input.toString('base64')}\n-----END ${SEALED}-----`),
    );
}

function check(claim: Claim): void {
  assert.ok(claim.subjects.every((subject) => typeof subject === 'string'));
  const signer = verifyClaim(claim, DIGEST, { kind: 'anybody', trustRoot });
  assert.deepEqual(signer, {
    kind: 'certificate',
    subject: 'dev@example.com',
    issuer: 'https://accounts.example',
    logged: true,
  });
}

/** Anything but a result or a clear error is a finding. */
function sound(parse: () => void): void {
  try {
    parse();
  } catch (error) {
    if (!isBoxError(error) || !CODE.test(error.code)) throw error;
    assert.ok(error.message.length < 2000, 'a message of bounded length');
    assert.doesNotMatch(error.message, /\p{Cc}/u, 'a message that a terminal shows and does not obey');
  }
}
