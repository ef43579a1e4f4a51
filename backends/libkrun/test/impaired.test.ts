import assert from 'node:assert/strict';
import { impairedIn } from '../dist/index.js';

describe('what of a libkrun has a fault', () => {
  it('is its impersonated sockets before 1.19, and where the version cannot be told', () => {
    for (const version of ['1.17.4', '1.18', '1.9.9', '0.20', undefined, '', 'next'])
      assert.match(impairedIn(version).impaired?.tsi ?? '', /256 KiB .*libkrun 1\.19 mends it/, version);
    for (const version of ['1.19.0', '1.19', '1.20.1', '2.0.0']) assert.deepEqual(impairedIn(version), {}, version);
  });
});
