/** A process that pulls one image: `node pull-main.ts STORE REFERENCE`. */
import { OciImageStore } from '../../dist/index.js';
import { collectingLogger, operation } from './store.ts';

const [directory = '', reference = ''] = process.argv.slice(2);
await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
process.stdout.write('open\n');
const image = await store.pull(reference, { ...operation, plainHttp: true });
process.stdout.write(`${image.id}\n`);
