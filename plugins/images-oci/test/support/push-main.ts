/** A process that pushes one image: `node push-main.ts STORE NAME`. */
import { OciImageStore } from '../../dist/index.js';
import { collectingLogger, operation } from './store.ts';

const [directory = '', name = ''] = process.argv.slice(2);
await using store = await OciImageStore.open({ directory, logger: collectingLogger([]) });
process.stdout.write('open\n');
await store.push(name, { ...operation, plainHttp: true });
