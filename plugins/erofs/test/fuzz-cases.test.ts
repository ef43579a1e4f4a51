import { join } from 'node:path';
import { describe } from 'mocha';
import { fuzzCaseSuite } from '../../../test/support/fuzz-cases.ts';
import * as erofsWriter from '../fuzz/erofs-writer.ts';
import * as tarIngestion from '../fuzz/tar-ingestion.ts';

describe('fuzz targets of the EROFS writer', () => {
  fuzzCaseSuite(join(import.meta.dirname, '../fuzz'), {
    'erofs-writer': erofsWriter,
    'tar-ingestion': tarIngestion,
  });
});
