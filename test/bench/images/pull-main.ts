/** Pulls one image into a store until it can be run, and prints what it took: `node pull-main.ts STORE IMAGE`. */
import { OciImageStore } from '@a3s-box/images-oci';
import type { Logger } from '@a3s-box/core';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const { signal } = new AbortController();
const [directory = '', reference = ''] = process.argv.slice(2);

const begin = performance.now();
await using store = await OciImageStore.open({ directory, logger: quiet });
const layers: Record<string, string> = {};
const image = await store.pull(reference, {
  signal,
  plainHttp: true,
  onProgress: ({ item, phase }) => {
    if (phase === 'done' || phase === 'exists') layers[item] = phase;
  },
});
await (await store.rootDisk(image.id, { signal })).release();
const pullMs = performance.now() - begin;
const phases = Object.values(layers);
process.stdout.write(
  JSON.stringify({
    pullMs,
    maxRssBytes: process.resourceUsage().maxRSS * 1024,
    fetched: phases.filter((phase) => phase === 'done').length,
    present: phases.filter((phase) => phase === 'exists').length,
  }),
);
