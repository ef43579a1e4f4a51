import { Transform, type TransformCallback } from 'node:stream';

/** Passes on what is typed, until it is the sequence of keys that leaves a box. The beginning of one is held back. */
export class DetachKeys extends Transform {
  /** Resolves once they were typed. */
  readonly typed: Promise<void>;
  readonly #typed = Promise.withResolvers<void>();
  readonly #keys: Buffer;
  #matched = 0;
  #left = false;

  /** @param keys bytes of the sequence; none, or undefined: everything is passed on */
  constructor(keys: Buffer = Buffer.alloc(0)) {
    super();
    this.#keys = keys;
    this.typed = this.#typed.promise;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#left) return done();
    if (this.#keys.length === 0) return done(null, chunk);
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte === this.#keys[this.#matched]) {
        if (++this.#matched < this.#keys.length) continue;
        this.#left = true;
        this.#matched = 0;
        this.#typed.resolve();
        return done(null, Buffer.from(passed));
      }
      passed.push(...this.#keys.subarray(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) passed.push(byte);
    }
    done(null, Buffer.from(passed));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#keys.subarray(0, this.#matched));
  }
}
