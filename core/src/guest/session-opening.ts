import { createHash, randomBytes } from 'node:crypto';

/** Bytes of a session key. */
export const SESSION_KEY_BYTES = 32;
const NONCE_BYTES = 16;
const CHECKSUM_BYTES = 8;
const ECHO_MAGIC = Buffer.from('A3SBOX1\n', 'ascii');

/** The key of a guest that has booted and not yet heard a Hello (guest-init/proto/README.md). */
export const FRESH_BOOT_SESSION_KEY: Buffer = createHash('sha256').update('a3s-box agent session v1').digest();

/** What opens a session, and what the guest answers to exactly this opening. */
export interface SessionOpening {
  readonly bytes: Buffer;
  readonly echo: Buffer;
}

/** Draws a nonce and makes the opening for a session key of 32 bytes. */
export function makeSessionOpening(key: Buffer): SessionOpening {
  const nonce = randomBytes(NONCE_BYTES);
  const checksum = createHash('sha256').update(key).update(nonce).digest().subarray(0, CHECKSUM_BYTES);
  return { bytes: Buffer.concat([key, nonce, checksum]), echo: Buffer.concat([ECHO_MAGIC, nonce]) };
}

/**
 * Finds a pattern in a stream that arrives in pieces. Keeps no more of the stream than the pattern is long.
 */
export class StreamMatcher {
  #tail: Buffer = Buffer.alloc(0);

  constructor(private readonly pattern: Buffer) {}

  /**
   * Takes the next piece.
   * @returns what follows the pattern in it, once the pattern is complete; else undefined
   */
  push(piece: Buffer): Buffer | undefined {
    const window = Buffer.concat([this.#tail, piece]);
    const at = window.indexOf(this.pattern);
    if (at >= 0) return window.subarray(at + this.pattern.length);
    this.#tail = window.subarray(Math.max(0, window.length - this.pattern.length + 1));
    return undefined;
  }
}
