import { createHash } from 'node:crypto';
import { BoxError } from '@a3s-box/core';

const SHA256 = /^sha256:[0-9a-f]{64}$/;

/** Whether a value is a sha256 digest as OCI writes it. Everything that becomes a file name passes this first. */
export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && SHA256.test(value);
}

/** The 64 hexadecimal digits. @throws IMAGE_CORRUPT when it is no sha256 digest */
export function digestHex(digest: string): string {
  if (!SHA256.test(digest)) {
    throw new BoxError('IMAGE_CORRUPT', `digest ${JSON.stringify(digest.slice(0, 80))} is no sha256 digest`, {
      hint: 'only sha256 digests are supported',
    });
  }
  return digest.slice('sha256:'.length);
}

/** Digest of bytes in memory. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** @throws IMAGE_CORRUPT when the digests differ */
export function checkDigest(what: string, expected: string, actual: string): void {
  if (expected === actual) return;
  throw new BoxError('IMAGE_CORRUPT', `${what} has the digest ${actual}, where ${expected} was expected`, {
    hint: 'fetch or build the image again; its content was changed or damaged',
    details: { expected, actual },
  });
}
