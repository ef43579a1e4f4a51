import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { openKey, sealKey } from './encrypted-key.js';
import { fault } from './fault.js';
import { checkKind, hashesOf } from './public-key.js';

const SEALED =
  /^-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----\s*$/;
const PLAIN = /^-----BEGIN (?:EC |RSA )?PRIVATE KEY-----$/m;
const MAX_PEM = 64 * 1024;

/** Whether a private key in PEM is encrypted, so that a password is needed. */
export function isSealed(pem: string): boolean {
  return pem.includes('-----BEGIN ENCRYPTED ');
}

/**
 * A private key in PEM: PKCS #8, PKCS #1 or SEC 1 in the clear, or encrypted as cosign does it.
 * @throws SIGNING_KEY_INVALID
 */
export function parsePrivateKey(pem: string, password: Uint8Array = new Uint8Array()): KeyObject {
  if (pem.length > MAX_PEM) throw fault('SIGNING_KEY_INVALID', `private key is larger than ${MAX_PEM} characters`);
  const sealed = SEALED.exec(pem.trim())?.[1];
  let key: KeyObject;
  if (sealed !== undefined) {
    const der = openKey(Buffer.from(sealed.replace(/\s+/g, ''), 'base64'), password);
    key = readable(() => createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  } else if (PLAIN.test(pem)) {
    key = readable(() => createPrivateKey(pem));
  } else {
    throw fault('SIGNING_KEY_INVALID', 'private key is neither PEM in the clear nor encrypted as cosign does it');
  }
  checkKind(createPublicKey(key));
  return key;
}

function readable(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (error) {
    throw fault('SIGNING_KEY_INVALID', 'private key cannot be read', error);
  }
}

/** Signs as cosign does by default for the key's kind; with Ed25519 plainly. */
export function signWith(key: KeyObject, data: Uint8Array): Buffer {
  const [hash = null] = hashesOf(createPublicKey(key));
  return sign(hash, data, key);
}

/** A new pair (ECDSA on P-256), the private key encrypted, in the form of `cosign generate-key-pair`. */
export function generateKeyPair(password: Uint8Array): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const sealed = sealKey(privateKey.export({ format: 'der', type: 'pkcs8' }), password);
  const lines = sealed.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  const label = 'ENCRYPTED SIGSTORE PRIVATE KEY';
  return {
    privateKey: `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`,
    publicKey: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  };
}
