import { createHash, timingSafeEqual, type KeyObject } from 'node:crypto';
import { isSignedBy } from './public-key.js';

/** What was signed and the signature over it, in the form that the sigstore verifier asks for. */
export class SignedContent {
  constructor(
    readonly signature: Buffer,
    /** The bytes that the signature is over. */
    private readonly signed: Buffer,
    /** What they speak of: the same, or for an envelope its payload. */
    private readonly payload: Buffer = signed,
  ) {}

  compareSignature(signature: Buffer): boolean {
    return equal(signature, this.signature);
  }

  compareDigest(digest: Buffer): boolean {
    return isDigestOf(digest, this.payload);
  }

  compareSignedDigest(digest: Buffer): boolean {
    return isDigestOf(digest, this.signed);
  }

  verifySignature(key: KeyObject): boolean {
    return isSignedBy(key, this.signed, this.signature);
  }
}

/** A log names contents by the hash that the signature was made with. */
const HASHES: Readonly<Record<number, string>> = { 32: 'sha256', 48: 'sha384', 64: 'sha512' };

function isDigestOf(digest: Buffer, bytes: Buffer): boolean {
  const hash = HASHES[digest.length];
  return hash !== undefined && equal(digest, createHash(hash).update(bytes).digest());
}

function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
