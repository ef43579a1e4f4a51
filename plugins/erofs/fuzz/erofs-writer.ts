/**
 * Whatever layers are written and merged, an independent reader sees what a plain model says they mean: types, owners,
 * modes, times, attributes, content, hard links. What the model refuses is refused.
 *
 * Input: see support/member-decoder.ts.
 */
import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import { walk } from '../test/support/erofs-reader.ts';
import { linesOf, modelOf, Refused } from '../test/support/model.ts';
import { archive } from '../test/support/tar-builder.ts';
import { mergedTree } from '../test/support/written.ts';
import { decodeLayers } from './support/member-decoder.ts';

/** Regular inputs of several lengths: any bytes are an image. */
export function* seeds(): Generator<readonly [name: string, input: Buffer]> {
  for (const length of [8, 40, 120, 400]) {
    for (const step of [1, 7, 61, 101]) {
      yield [
        `${length}-${step}`,
        Buffer.from(Array.from({ length }, (_, index) => (index * step * (1 + (index >> 3))) % 256)),
      ];
    }
  }
}

export async function fuzz(input: Buffer): Promise<void> {
  const layers = decodeLayers(input);
  const expected = outcome(() => modelOf(layers));
  let actual: string[] | 'refused';
  try {
    actual = linesOf(await mergedTree(layers.map((members) => archive(members))), walk);
  } catch (error) {
    if (!isBoxError(error) || error.code !== 'IMAGE_CORRUPT') throw error;
    actual = 'refused';
  }
  assert.deepEqual(actual, expected);
}

function outcome(model: () => string[]): string[] | 'refused' {
  try {
    return model();
  } catch (error) {
    if (error instanceof Refused) return 'refused';
    throw error;
  }
}
