import { join } from 'node:path';
import { describe } from 'mocha';
import { fuzzCaseSuite } from '../../../test/support/fuzz-cases.ts';
import * as compressedLayers from '../fuzz/compressed-layers.ts';
import * as imageDocuments from '../fuzz/image-documents.ts';
import * as references from '../fuzz/references.ts';

describe('fuzz targets of the image store', () => {
  fuzzCaseSuite(join(import.meta.dirname, '../fuzz'), {
    'compressed-layers': compressedLayers,
    'image-documents': imageDocuments,
    references,
  });
});
