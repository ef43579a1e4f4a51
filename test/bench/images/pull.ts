/**
 * From a registry on loopback to a disk that a VM can boot: 300 MB in 12 layers, compressed by gzip, against `skopeo copy` to an
 * OCI layout and `umoci unpack`. Bars: no longer than these, 250 MB of memory; of another image that shares ten layers two
 * are fetched.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { dockerRegistry } from '../../../plugins/images-oci/test/support/docker-registry.ts';
import { summarize, timed } from '../support/samples.ts';
import { writeSampleImage, type SampleLayer } from './sample-image.ts';

/** The registry's log is read meanwhile: it stands still when nobody does. */
const execute = promisify(execFile);
const ROUNDS = 5;
const LAYERS = 12;
const SHARED = 10;

interface Pulled {
  readonly pullMs: number;
  readonly maxRssBytes: number;
  readonly fetched: number;
  readonly present: number;
}

export async function run() {
  const directory = mkdtempSync(join(tmpdir(), 'bench-pull-'));
  await using registry = await dockerRegistry(directory);
  try {
    const layerOf = (seed: number): SampleLayer => ({ files: 3300, bytes: 25e6, seed, gzip: true });
    const seeds = Array.from({ length: LAYERS }, (_, index) => index + 1);
    const images: readonly (readonly [string, readonly number[]])[] = [
      ['one', seeds],
      ['two', seeds.map((seed, index) => (index < SHARED ? seed : seed + LAYERS))],
    ];
    let bytes = 0;
    for (const [name, itsSeeds] of images) {
      bytes = await writeSampleImage(join(directory, name), itsSeeds.map(layerOf));
      const target = `docker://${registry.host}/${name}:1`;
      await execute('skopeo', ['copy', '-q', '--dest-tls-verify=false', `oci:${join(directory, name)}:sample`, target]);
    }
    const name = (image: string): string => `${registry.host}/${image}:1`;
    const store = join(directory, 'store');
    const ours: Pulled[] = [];
    const second: Pulled[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rmSync(store, { recursive: true, force: true });
      ours.push(await pull(store, name('one')));
      second.push(await pull(store, name('two')));
      theirs.push(await timed(() => copyAndUnpack(name('one'), join(directory, 'copy'))));
    }
    const ratios = ours.map(({ pullMs }, round) => pullMs / (theirs[round] ?? NaN));
    return {
      bar: 'ratios.p50 <= 1, memory.max <= 250 MB, layersOfSecond.max = 2',
      archiveBytes: bytes,
      pull: summarize(
        ours.map(({ pullMs }) => pullMs),
        'ms',
      ),
      skopeoAndUmoci: summarize(theirs, 'ms'),
      ratios: summarize(ratios, 'ours/theirs'),
      memory: summarize(
        ours.map(({ maxRssBytes }) => maxRssBytes / 1e6),
        'MB',
      ),
      pullOfSecond: summarize(
        second.map(({ pullMs }) => pullMs),
        'ms',
      ),
      layersOfSecond: summarize(
        second.map(({ fetched }) => fetched),
        'layers',
      ),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** In a process of its own, so that its memory can be told. */
async function pull(store: string, image: string): Promise<Pulled> {
  const main = join(import.meta.dirname, 'pull-main.ts');
  const child = spawn(process.execPath, [main, store, image], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${main} ended with ${code}`);
  return JSON.parse(output) as Pulled;
}

async function copyAndUnpack(image: string, directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  const layout = join(directory, 'layout');
  await execute('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${image}`, `oci:${layout}:sample`]);
  await execute('umoci', ['unpack', '--image', `${layout}:sample`, join(directory, 'bundle')]);
}
