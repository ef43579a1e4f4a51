import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CHUNK_BYTES, chunksOf, extentsOf, joinExtents } from '../../../dist/vm/templates/memory-chunks.js';

const PAGE = 4096;

describe('memory chunks', () => {
  it('cover the extents exactly, in order, in pieces of a bounded size', () => {
    const runs = fc.array(fc.tuple(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 800 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(runs, (gaps) => {
        let end = 0;
        const extents = gaps.map(([gap, pages]): [number, number] => {
          const start = end + gap * PAGE;
          end = start + pages * PAGE;
          return [start, pages * PAGE];
        });
        const chunks = chunksOf(extents);
        assert.ok(chunks.every(({ bytes }) => bytes <= CHUNK_BYTES));
        let position = 0;
        for (const chunk of chunks) {
          assert.equal(chunk.position, position);
          position += chunk.bytes;
          assert.equal(
            chunk.extents.reduce((sum, [, length]) => sum + length, 0),
            chunk.bytes,
          );
        }
        const parts = chunks.flatMap((chunk) => chunk.extents);
        const merged: [number, number][] = [];
        for (const [start, length] of parts) {
          const last = merged.at(-1);
          if (last && last[0] + last[1] === start) last[1] += length;
          else merged.push([start, length]);
        }
        assert.deepEqual(merged, extents);
      }),
    );
  });

  it('leave out pages of zeros, but for small holes', () => {
    const data = Buffer.alloc(40 * PAGE);
    for (const page of [1, 3, 30]) data[page * PAGE + 7] = 1;
    const base = 1024 * PAGE;
    assert.deepEqual(extentsOf(data, base), [
      [base + PAGE, 3 * PAGE],
      [base + 30 * PAGE, PAGE],
    ]);
    assert.deepEqual(extentsOf(Buffer.alloc(PAGE), 0), []);
    assert.deepEqual(
      joinExtents([
        [0, PAGE],
        [2 * PAGE, PAGE],
        [40 * PAGE, PAGE],
      ]),
      [
        [0, 3 * PAGE],
        [40 * PAGE, PAGE],
      ],
    );
  });
});
