/** A process that loads one archive: `node load-main.ts STORE FILE`. */
import { createReadStream } from 'node:fs';
import { OciImageStore } from '../../dist/index.js';
import { collectingLogger, operation } from './store.ts';

const [directory = '', file = ''] = process.argv.slice(2);
await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
await store.load({ kind: 'archive', stream: createReadStream(file) }, operation);
