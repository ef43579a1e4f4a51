/**
 * From a layer's archive to a disk that a VM can boot: 300 MB and 40,000 files, against `umoci unpack` of the same image.
 * Bars: 80 MB/s of archive, 300 MB of memory.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { summarize, timed } from '../support/samples.ts';
import { writeSampleImage } from './sample-image.ts';

const ROUNDS = 5;

interface Ingested {
  readonly loadMs: number;
  readonly mergeMs: number;
  readonly maxRssBytes: number;
  readonly cpuMs: number;
}

export async function run() {
  const directory = mkdtempSync(join(tmpdir(), 'bench-images-'));
  try {
    const layout = join(directory, 'layout');
    const bytes = await writeSampleImage(layout, [{ files: 40_000, bytes: 300e6 }]);
    const ours: Ingested[] = [];
    const umoci: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(await ingest(join(directory, 'store'), layout));
      umoci.push(await timed(async () => unpack(layout, join(directory, 'bundle'))));
    }
    const speeds = ours.map(({ loadMs }) => bytes / 1e6 / (loadMs / 1000));
    return {
      bar: 'speed.p50 >= 80 MB/s, memory.max <= 300 MB',
      archiveBytes: bytes,
      load: summarize(
        ours.map(({ loadMs }) => loadMs),
        'ms',
      ),
      speed: summarize(speeds, 'MB/s'),
      cpu: summarize(
        ours.map(({ cpuMs }) => cpuMs),
        'ms',
      ),
      memory: summarize(
        ours.map(({ maxRssBytes }) => maxRssBytes / 1e6),
        'MB',
      ),
      firstDiskOfTwoLayers: summarize(
        ours.map(({ mergeMs }) => mergeMs),
        'ms',
      ),
      umociUnpack: summarize(umoci, 'ms'),
      ratios: summarize(
        ours.map(({ loadMs }, round) => loadMs / (umoci[round] ?? NaN)),
        'ours/umoci',
      ),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Loads the image in a process of its own, so that its memory can be told. */
async function ingest(store: string, layout: string): Promise<Ingested> {
  rmSync(store, { recursive: true, force: true });
  const main = join(import.meta.dirname, 'ingest-main.ts');
  const child = spawn(process.execPath, [main, store, layout], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${main} ended with ${code}`);
  return JSON.parse(output) as Ingested;
}

function unpack(layout: string, bundle: string): void {
  rmSync(bundle, { recursive: true, force: true });
  execFileSync('umoci', ['unpack', '--image', `${layout}:sample`, bundle]);
}
