import { randomBytes, scryptSync } from 'node:crypto';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { isBoxError } from '@a3s-box/core';
import { fault } from './fault.js';
import { fromBase64, isObject, parseObject, type JsonObject } from './json.js';

/** What cosign asks of scrypt: once 32768, then 65536. Others would be a way to make us use up memory. */
const COSTS = [32_768, 65_536];
const COST = 65_536;
const BLOCK = 8;
const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const SCRYPT_MEMORY = 256 * COST * BLOCK;

/**
 * Opens a key that cosign has encrypted: scrypt and NaCl's secretbox, described in JSON.
 * @returns the key in PKCS #8 (DER)
 * @throws SIGNING_KEY_INVALID when it is malformed or the password is another
 */
export function openKey(sealed: Uint8Array, password: Uint8Array): Buffer {
  const { kdf, cipher, ciphertext } = parsed(sealed);
  const parameters = isObject(kdf['params']) ? kdf['params'] : {};
  const { N, r, p } = parameters;
  if (kdf['name'] !== 'scrypt' || !COSTS.includes(Number(N)) || r !== BLOCK || p !== 1) {
    throw fault('SIGNING_KEY_INVALID', 'encrypted key is not derived with scrypt as cosign does it');
  }
  if (cipher['name'] !== 'nacl/secretbox') {
    throw fault('SIGNING_KEY_INVALID', 'encrypted key is not sealed with nacl/secretbox');
  }
  const [salt, nonce, box] = readable(() => [
    fromBase64(kdf['salt'], 'salt'),
    fromBase64(cipher['nonce'], 'nonce'),
    fromBase64(ciphertext, 'ciphertext'),
  ]) as [Buffer, Buffer, Buffer];
  if (nonce.length !== NONCE_BYTES) throw fault('SIGNING_KEY_INVALID', 'encrypted key has a nonce of the wrong length');
  const key = scryptSync(password, salt, KEY_BYTES, { N: Number(N), r: BLOCK, p: 1, maxmem: SCRYPT_MEMORY });
  try {
    return Buffer.from(xsalsa20poly1305(key, nonce).decrypt(Uint8Array.from(box)));
  } catch (error) {
    throw fault('SIGNING_KEY_INVALID', 'encrypted key cannot be opened: the password is another', error);
  }
}

/** Encrypts a key (PKCS #8, DER) so that cosign opens it. */
export function sealKey(key: Uint8Array, password: Uint8Array): Buffer {
  const salt = randomBytes(32);
  const nonce = randomBytes(NONCE_BYTES);
  const derived = scryptSync(password, salt, KEY_BYTES, { N: COST, r: BLOCK, p: 1, maxmem: SCRYPT_MEMORY });
  const box = Buffer.from(xsalsa20poly1305(derived, nonce).encrypt(Uint8Array.from(key)));
  return Buffer.from(
    JSON.stringify({
      kdf: { name: 'scrypt', params: { N: COST, r: BLOCK, p: 1 }, salt: salt.toString('base64') },
      cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
      ciphertext: box.toString('base64'),
    }),
  );
}

function parsed(sealed: Uint8Array): { kdf: JsonObject; cipher: JsonObject; ciphertext: unknown } {
  const { kdf, cipher, ciphertext } = readable(() => parseObject(sealed, 'encrypted key'));
  if (!isObject(kdf) || !isObject(cipher)) {
    throw fault('SIGNING_KEY_INVALID', 'encrypted key does not say how it is encrypted');
  }
  return { kdf, cipher, ciphertext };
}

/** Turns what is said of documents into what is wrong with a key. */
function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw fault('SIGNING_KEY_INVALID', isBoxError(error) ? error.message : 'encrypted key cannot be read', error);
  }
}
