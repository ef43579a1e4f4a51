/** Loads one OCI layout into an empty store, adds a layer, and prints what both took: `node ingest-main.ts STORE LAYOUT`. */
import { OciImageStore } from '@a3s-box/images-oci';
import type { Logger } from '@a3s-box/core';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const operation = { signal: new AbortController().signal };
const [directory = '', path = ''] = process.argv.slice(2);

await using store = await OciImageStore.open({ directory, logger: quiet });
const begin = performance.now();
const [image] = await store.load({ kind: 'directory', path }, operation);
if (image === undefined) throw new Error('the layout holds no image');
await (await store.rootDisk(image.id, operation)).release();
const loadMs = performance.now() - begin;
const { user, system } = process.cpuUsage();
const maxRssBytes = process.resourceUsage().maxRSS * 1024;

const empty = Buffer.alloc(1024);
const change = { base: image.id, config: image.config, createdBy: 'bench', created: '2024-01-01T00:00:00Z' };
const above = await store.commit(
  {
    ...change,
    layer: (async function* () {
      yield empty;
    })(),
  },
  operation,
);
const merge = performance.now();
await (await store.rootDisk(above.id, operation)).release();
const mergeMs = performance.now() - merge;
process.stdout.write(JSON.stringify({ loadMs, mergeMs, maxRssBytes, cpuMs: (user + system) / 1000 }));
