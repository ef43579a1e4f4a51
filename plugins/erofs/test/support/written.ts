/** Writes archives to EROFS files in a temporary directory and reads them back. */
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mergeLayers, writeLayer, type WriteLayerOptions, type WrittenLayer } from '../../dist/index.js';
import { readErofs, type Node } from './erofs-reader.ts';

export interface Scratch extends AsyncDisposable {
  readonly directory: string;
}

export async function scratch(): Promise<Scratch> {
  const directory = await mkdtemp(join(tmpdir(), 'erofs-'));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }) };
}

/** Cuts a buffer in pieces of one size. */
export function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function writeTo(
  path: string,
  tar: Buffer,
  options: WriteLayerOptions & { pieceSize?: number } = {},
): Promise<WrittenLayer> {
  await using file = await open(path, 'w+');
  return await writeLayer(pieces(tar, options.pieceSize ?? 65_536), file, options);
}

/** The bytes of the layer's file. */
export async function layerBytes(
  tar: Buffer,
  options: WriteLayerOptions & { pieceSize?: number } = {},
): Promise<Buffer> {
  await using place = await scratch();
  const path = join(place.directory, 'layer');
  await writeTo(path, tar, options);
  return await readFile(path);
}

export async function layerTree(tar: Buffer, options: WriteLayerOptions = {}): Promise<Node> {
  return readErofs(await layerBytes(tar, options));
}

/** The tree that layers make together, read from the merged file and the layers' files. */
export async function mergedTree(tars: readonly Buffer[]): Promise<Node> {
  await using place = await scratch();
  const paths: string[] = [];
  for (const [index, tar] of tars.entries()) {
    const path = join(place.directory, `layer${index}`);
    await writeTo(path, tar);
    paths.push(path);
  }
  const target = join(place.directory, 'merged');
  await using file = await open(target, 'w+');
  const merged = await mergeLayers(paths, file);
  const devices = await Promise.all(merged.devices.map(({ layer }) => readFile(paths[layer] as string)));
  return readErofs(await readFile(target), devices);
}
