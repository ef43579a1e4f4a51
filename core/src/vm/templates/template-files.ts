import { closeSync } from 'node:fs';
import { open, readFile, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as fs from 'node:fs';
import { createMemory, dataExtents, sealMemory } from '@a3s-box/native';
import { BoxError } from '../../errors/box-error.js';
import type { Template } from '../../ports/hypervisor.js';
import { CHUNK_BYTES, chunksOf, extentsOf, joinExtents, type Extent, type MemoryChunk } from './memory-chunks.js';
import { decodeManifest, encodeManifest, TEMPLATE_FORMAT, type TemplateManifest } from './template-manifest.js';

const MANIFEST = 'manifest';
const MEMORY = 'memory';
const STATE = 'state';
/** Chunks under way at a time: enough to keep two CPUs busy. */
const PARALLEL = 4;

const read = promisify(fs.read);
const write = promisify(fs.write);

/** A template in memory, with the key of its clones' first sessions. */
export interface LoadedTemplate extends Disposable {
  readonly template: Template;
  readonly sessionKey: Buffer;
}

/** What {@link saveTemplate} is told beside the template itself. */
export type TemplateIdentity = Pick<TemplateManifest, 'key' | 'sessionKey' | 'createdMs' | 'version'>;

/** Writes a template into an empty directory, synced. @throws Error of the system */
export async function saveTemplate(directory: string, template: Template, identity: TemplateIdentity): Promise<void> {
  const memory = await saveMemory(join(directory, MEMORY), template.memory);
  const state = await readFile(`/proc/self/fd/${template.state}`);
  await writeSynced(join(directory, STATE), state);
  const manifest: TemplateManifest = {
    format: TEMPLATE_FORMAT,
    ...identity,
    record: template.record,
    ...memory,
    stateBytes: state.length,
    stateDigest: await digest(state),
  };
  await writeSynced(join(directory, MANIFEST), encodeManifest(manifest));
}

async function saveMemory(path: string, memory: number): Promise<Pick<TemplateManifest, 'extents' | 'chunkDigests'>> {
  const file = await open(path, 'wx', 0o600);
  try {
    const extents = await nonZero(memory);
    const chunkDigests: string[] = [];
    for (const chunk of chunksOf(extents)) {
      const data = Buffer.alloc(chunk.bytes);
      await eachPart(chunk, async (at, length, offset) => void (await read(memory, data, at, length, offset)));
      chunkDigests.push(await digest(data));
      await file.write(data, 0, data.length, chunk.position);
    }
    await file.sync();
    return { extents, chunkDigests };
  } finally {
    await file.close();
  }
}

async function nonZero(memory: number): Promise<Extent[]> {
  const found: Extent[] = [];
  const data = Buffer.alloc(CHUNK_BYTES);
  for (const [start, length] of dataExtents(memory)) {
    for (let done = 0; done < length; done += CHUNK_BYTES) {
      const wanted = Math.min(CHUNK_BYTES, length - done);
      const { bytesRead } = await read(memory, data, 0, wanted, start + done);
      found.push(...extentsOf(data.subarray(0, bytesRead), start + done));
    }
  }
  return joinExtents(found);
}

async function writeSynced(path: string, data: Buffer | string): Promise<void> {
  await writeFile(path, data, { mode: 0o600, flag: 'wx', flush: true });
}

/**
 * Reads what a template's directory says of it.
 * @throws TEMPLATE_UNUSABLE when there is none, or it is not whole
 */
export async function readManifest(directory: string, key: string): Promise<TemplateManifest> {
  let file: string;
  try {
    file = await readFile(join(directory, MANIFEST), 'utf8');
  } catch (cause) {
    throw unusable(key, 'it has no manifest', cause);
  }
  const manifest = decodeManifest(file, key);
  if (manifest === undefined) throw unusable(key, 'its manifest is damaged, or of another template');
  return manifest;
}

/**
 * Reads a template into memory, where nobody can change it any more. Every byte is compared with its digest.
 * @throws TEMPLATE_UNUSABLE when anything of it is missing or not as it was written
 */
export async function loadTemplate(directory: string, key: string): Promise<LoadedTemplate> {
  const manifest = await readManifest(directory, key);
  using files = new DisposableStack();
  const create = (name: string, bytes: number): number =>
    files.adopt(createMemory(`template-${name}`, bytes), (descriptor) => closeSync(descriptor));
  const memory = create(MEMORY, manifest.record.shape.memoryBytes);
  const state = create(STATE, manifest.stateBytes);
  await Promise.all([loadMemory(directory, manifest, memory), loadState(directory, manifest, state)]);
  for (const file of [memory, state]) sealMemory(file);
  const held = files.move();
  return {
    template: { record: manifest.record, memory, state },
    sessionKey: Buffer.from(manifest.sessionKey, 'base64'),
    [Symbol.dispose]: () => held.dispose(),
  };
}

async function loadMemory(directory: string, manifest: TemplateManifest, memory: number): Promise<void> {
  const { key, extents, chunkDigests } = manifest;
  const chunks = chunksOf(extents);
  const file = await openPart(directory, MEMORY, key);
  try {
    if (chunks.length !== chunkDigests.length) throw unusable(key, 'its manifest contradicts itself');
    let next = 0;
    const work = async (): Promise<void> => {
      // Each worker its own buffer: what is compared is what is written.
      const buffer = Buffer.alloc(CHUNK_BYTES);
      for (let index = next++; index < chunks.length; index = next++) {
        const chunk = chunks[index] as MemoryChunk;
        const data = buffer.subarray(0, chunk.bytes);
        await readExactly(file, data, chunk.position, key);
        if ((await digest(data)) !== chunkDigests[index]) throw unusable(key, 'its memory is damaged');
        await eachPart(chunk, async (at, length, offset) => void (await write(memory, data, at, length, offset)));
      }
    };
    // All end before the descriptors are given up.
    const results = await Promise.allSettled(Array.from({ length: PARALLEL }, work));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  } finally {
    await file.close();
  }
}

async function loadState(directory: string, manifest: TemplateManifest, state: number): Promise<void> {
  const { key, stateBytes, stateDigest } = manifest;
  const file = await openPart(directory, STATE, key);
  try {
    const data = Buffer.alloc(stateBytes);
    await readExactly(file, data, 0, key);
    if ((await digest(data)) !== stateDigest) throw unusable(key, 'its state is damaged');
    await write(state, data, 0, data.length, 0);
  } finally {
    await file.close();
  }
}

async function openPart(directory: string, name: string, key: string): Promise<FileHandle> {
  try {
    return await open(join(directory, name), 'r');
  } catch (cause) {
    throw unusable(key, `its ${name} cannot be read`, cause);
  }
}

async function readExactly(file: FileHandle, data: Buffer, position: number, key: string): Promise<void> {
  const { bytesRead } = await file.read(data, 0, data.length, position);
  if (bytesRead !== data.length) throw unusable(key, 'it is cut off');
}

/** Calls for each run of a chunk, with where it lies in the chunk's data and in the memory. */
async function eachPart(
  { extents }: MemoryChunk,
  visit: (at: number, length: number, offset: number) => Promise<void>,
): Promise<void> {
  let at = 0;
  for (const [offset, length] of extents) {
    await visit(at, length, offset);
    at += length;
  }
}

/** SHA-256 off this thread; base64. */
async function digest(data: Uint8Array<ArrayBuffer>): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', data)).toString('base64');
}

function unusable(key: string, fault: string, cause?: unknown): BoxError {
  return new BoxError('TEMPLATE_UNUSABLE', `template ${key} cannot be used: ${fault}`, { cause });
}
