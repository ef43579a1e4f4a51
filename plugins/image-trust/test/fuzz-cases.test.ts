import { join } from 'node:path';
import { describe } from 'mocha';
import { fuzzCaseSuite } from '../../../test/support/fuzz-cases.ts';
import * as policies from '../fuzz/policies.ts';
import * as signatures from '../fuzz/signatures.ts';

describe('fuzz targets of image trust', () => {
  fuzzCaseSuite(join(import.meta.dirname, '../fuzz'), { policies, signatures });
});
