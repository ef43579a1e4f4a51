import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { decompress } from '../dist/decompress.js';

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(bytes: Buffer, size = 1000): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of decompress(cut(bytes, size))) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

const skippable = (size: number): Buffer => {
  const frame = Buffer.alloc(8 + size, 9);
  frame.writeUInt32LE(0x184d2a53, 0);
  frame.writeUInt32LE(size, 4);
  return frame;
};

describe('decompress', () => {
  const plain = Buffer.concat([Buffer.alloc(300_000, 'text '), randomBytes(50_000)]);

  it('passes on what is not compressed, however short', async () => {
    for (const bytes of [plain, Buffer.alloc(0), Buffer.from('a'), Buffer.from('ab\0')]) {
      for (const size of [1, 7, 100_000])
        assert.ok((await all(bytes.subarray(0, 2000), size)).equals(bytes.subarray(0, 2000)));
    }
  });

  it('reads gzip of several members', async () => {
    const bytes = Buffer.concat([gzipSync(plain.subarray(0, 1000)), gzipSync(plain.subarray(1000))]);
    for (const size of [7, 5000, 1_000_000]) assert.ok((await all(bytes, size)).equals(plain));
  });

  it('reads zstd of several frames and skips what is to be skipped', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat(200_000), fc.constantFrom('skip', 'empty')), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 70_000 }),
        async (frames, size) => {
          const content = frames.map((frame) =>
            typeof frame === 'number' ? plain.subarray(0, frame) : Buffer.alloc(0),
          );
          const bytes = frames.map((frame, i) =>
            frame === 'skip' ? skippable(i * 10) : zstdCompressSync(content[i] as Buffer),
          );
          assert.ok((await all(Buffer.concat(bytes), Math.max(size, 50))).equals(Buffer.concat(content)));
        },
      ),
      { numRuns: 40 },
    ));

  it('refuses what is cut off or damaged', async () => {
    for (const bytes of [
      gzipSync(plain),
      zstdCompressSync(plain),
      Buffer.concat([zstdCompressSync(plain), zstdCompressSync(plain.subarray(290_000))]),
    ]) {
      for (const part of [0.1, 0.4, 0.9, 0.99999]) {
        await assert.rejects(all(bytes.subarray(0, Math.floor(bytes.length * part))), { code: 'IMAGE_CORRUPT' });
      }
      const damaged = Buffer.from(bytes);
      damaged[Math.floor(bytes.length / 2)] = (damaged[Math.floor(bytes.length / 2)] as number) ^ 0x55;
      const result = await all(damaged).catch((error: { code: string }) => error.code);
      // Where neither format has a checksum over it, the digest finds it.
      if (typeof result === 'string') assert.equal(result, 'IMAGE_CORRUPT');
    }
    await assert.rejects(all(Buffer.concat([zstdCompressSync(plain), Buffer.from('garbage!')])), {
      code: 'IMAGE_CORRUPT',
    });
  });

  it('refuses other compressions by name', () =>
    assert.rejects(all(Buffer.from('BZh91AY&SY')), { code: 'UNSUPPORTED', message: /bzip2/ }));

  it('hands on what the source throws', async () => {
    async function* failing(): AsyncGenerator<Buffer> {
      yield gzipSync(plain).subarray(0, 5000);
      throw new RangeError('source');
    }
    await assert.rejects(async () => {
      for await (const part of decompress(failing())) void part;
    }, RangeError);
  });
});
