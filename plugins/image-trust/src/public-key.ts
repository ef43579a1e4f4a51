import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { ed25519ph } from '@noble/curves/ed25519.js';
import { fault } from './fault.js';

const CURVES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['sha256'],
  // cosign hashes with SHA-384 for this curve from version 3 on, and with SHA-256 before.
  secp384r1: ['sha384', 'sha256'],
  secp521r1: ['sha512', 'sha256'],
};
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;
const MAX_PEM = 64 * 1024;

/**
 * A public key in PEM: ECDSA on P-256, P-384 or P-521, RSA from 2048 bits, Ed25519.
 * @throws SIGNING_KEY_INVALID
 */
export function parsePublicKey(pem: string): KeyObject {
  if (pem.length > MAX_PEM || !/^-----BEGIN (RSA )?PUBLIC KEY-----$/m.test(pem)) {
    throw fault('SIGNING_KEY_INVALID', 'public key is not in PEM');
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw fault('SIGNING_KEY_INVALID', 'public key cannot be read', error);
  }
  checkKind(key);
  return key;
}

/** @throws SIGNING_KEY_INVALID for a key that is of another kind, or weak */
export function checkKind(key: KeyObject): void {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return;
    case 'ec':
      if (namedCurve !== undefined && Object.hasOwn(CURVES, namedCurve)) return;
      throw fault('SIGNING_KEY_INVALID', `key is on the curve ${namedCurve}, which is not supported`);
    case 'rsa':
      if (modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS) return;
      throw fault('SIGNING_KEY_INVALID', `RSA key has ${modulusLength} bits, not ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`);
    default:
      throw fault('SIGNING_KEY_INVALID', `key is of the kind ${key.asymmetricKeyType}, which is not supported`);
  }
}

/** Hash algorithms that signatures by a key may have been made with, the usual one first; none for Ed25519. */
export function hashesOf(key: KeyObject): readonly string[] {
  if (key.asymmetricKeyType === 'ed25519') return [];
  return CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? ['sha256'];
}

/** Whether a signature over some bytes is by this key; Ed25519 plain, or over a SHA-512 (Ed25519ph), as cosign does. */
export function isSignedBy(key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  try {
    if (key.asymmetricKeyType !== 'ed25519') {
      return hashesOf(key).some((hash) => verify(hash, data, key, signature));
    }
    if (verify(null, data, key, signature)) return true;
    const raw = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
    return ed25519ph.verify(Uint8Array.from(signature), Uint8Array.from(data), Uint8Array.from(raw));
  } catch {
    // A signature of the wrong form is none of this key.
    return false;
  }
}

/** How cosign's bundles name a key: the SHA-256 of its SubjectPublicKeyInfo, in base64. */
export function hintOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('base64');
}
