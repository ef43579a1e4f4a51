import { join } from 'node:path';
import { describe } from 'mocha';
import { fuzzCaseSuite } from '../../../test/support/fuzz-cases.ts';
import * as dockerfiles from '../fuzz/dockerfiles.ts';

describe('fuzz targets of the Dockerfile builder', () => {
  fuzzCaseSuite(join(import.meta.dirname, '../fuzz'), { dockerfiles });
});
