import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, readFileSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemory, dataExtents } from '@a3s-box/native';
import { loadTemplate, saveTemplate } from '../../../dist/vm/templates/template-files.js';
import { decodeManifest, encodeManifest } from '../../../dist/vm/templates/template-manifest.js';

const MIB = 2 ** 20;
const KEY = '0123456789abcdef'.repeat(2);
const SHAPE = { vcpus: 1, memoryBytes: 64 * MIB, network: true, share: false };
const RECORD = { backend: 'fake', version: 1, fingerprint: 'f', shape: SHAPE, details: { a: 1 } };
const IDENTITY = { key: KEY, sessionKey: Buffer.alloc(32, 9).toString('base64'), createdMs: 5, version: '1' };

describe('template files', () => {
  let directory: string;
  const path = (name: string) => join(directory, name);
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'template-'));
    const memory = createMemory('memory', SHAPE.memoryBytes);
    const state = createMemory('state', 0);
    try {
      writeSync(memory, Buffer.alloc(3 * MIB, 1), 0, 3 * MIB, 4096);
      writeSync(memory, 'middle', 32 * MIB + 17);
      writeSync(memory, Buffer.alloc(MIB), 0, MIB, 40 * MIB);
      writeSync(memory, 'end', 64 * MIB - 3);
      writeSync(state, 'the state', 0);
      await saveTemplate(directory, { record: RECORD, memory, state }, IDENTITY);
    } finally {
      for (const file of [memory, state]) closeSync(file);
    }
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('give back what was written, in files that nobody can change', async () => {
    using loaded = await loadTemplate(directory, KEY);
    const { template, sessionKey } = loaded;
    assert.deepEqual(template.record, RECORD);
    assert.deepEqual(sessionKey, Buffer.alloc(32, 9));
    const at = (file: number, length: number, position: number) => {
      const data = Buffer.alloc(length);
      readSync(file, data, 0, length, position);
      return data;
    };
    assert.ok(at(template.memory, 3 * MIB, 4096).equals(Buffer.alloc(3 * MIB, 1)));
    assert.equal(at(template.memory, 6, 32 * MIB + 17).toString(), 'middle');
    assert.equal(at(template.memory, 3, 64 * MIB - 3).toString(), 'end');
    assert.equal(at(template.state, 20, 0).toString('utf8', 0, 9), 'the state');
    for (const file of [template.memory, template.state]) {
      assert.throws(() => writeSync(file, 'x', 0), { code: 'EPERM' });
    }
  });

  it('hold no zeros, and none are in memory', async () => {
    assert.ok(statSync(path('memory')).size < 3 * MIB + 32 * 1024);
    using loaded = await loadTemplate(directory, KEY);
    const held = dataExtents(loaded.template.memory).reduce((sum, [, bytes]) => sum + bytes, 0);
    assert.ok(held < 3 * MIB + 64 * 1024, `${held} bytes`);
  });

  const change = (name: string, to: (data: Buffer) => Buffer) => () =>
    writeFileSync(path(name), to(readFileSync(path(name))));
  const flipped = (at: number) => (data: Buffer) => {
    data[at < 0 ? data.length + at : at]! ^= 1;
    return data;
  };
  const rewritten = (to: object) =>
    change('manifest', (data) => {
      const manifest = decodeManifest(String(data), KEY);
      assert.ok(manifest);
      return Buffer.from(encodeManifest({ ...manifest, ...to } as typeof manifest));
    });
  const damages: Readonly<Record<string, () => void>> = {
    'a changed first bit': change('memory', flipped(0)),
    'a changed bit in between': change('memory', flipped(2 * MIB + 5)),
    'a changed last bit': change('memory', flipped(-1)),
    'a memory that is cut off': change('memory', (data) => data.subarray(0, -1)),
    'a memory that is empty': change('memory', () => Buffer.alloc(0)),
    'no memory': () => rmSync(path('memory')),
    'a changed bit in the state': change('state', flipped(3)),
    'a state that is cut off': change('state', (data) => data.subarray(0, 4)),
    'no state': () => rmSync(path('state')),
    'a changed bit in the manifest': change('manifest', flipped(100)),
    'a changed digest of the manifest': change('manifest', flipped(3)),
    'a manifest that is cut off': change('manifest', (data) => data.subarray(0, -10)),
    'an empty manifest': change('manifest', () => Buffer.alloc(0)),
    'no manifest': () => rmSync(path('manifest')),
    'another format': rewritten({ format: 2 }),
    'another template in its place': rewritten({ key: 'f'.repeat(32) }),
    'chunks that are left out': rewritten({ chunkDigests: [] }),
    'other extents': rewritten({ extents: [[0, 3 * MIB]] }),
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`are refused with ${what}`, async () => {
      damage();
      await assert.rejects(loadTemplate(directory, KEY), { code: 'TEMPLATE_UNUSABLE' });
    });
  }
});
