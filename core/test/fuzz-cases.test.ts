import { join } from 'node:path';
import { describe } from 'mocha';
import { fuzzCaseSuite } from '../../test/support/fuzz-cases.ts';
import * as hostUnpack from '../fuzz/host-unpack.ts';

describe('fuzz targets of core', () => {
  fuzzCaseSuite(join(import.meta.dirname, '../fuzz'), { 'host-unpack': hostUnpack });
});
