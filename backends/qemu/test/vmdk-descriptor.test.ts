import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { relocateExtents } from '../dist/vmdk-descriptor.js';

describe('vmdk descriptor', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmdk-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function relocate(lines: readonly string[], extents: readonly string[]): { text: string; given: string[] } {
    const path = join(directory, 'image.vmdk');
    writeFileSync(path, ['# Disk DescriptorFile', 'version=1', ...lines, ''].join('\n'));
    const given: string[] = [];
    const give = (file: string): string => `/dev/fdset/${given.push(file) + 9}`;
    const copy = relocateExtents({ path, format: 'vmdk', readOnly: true, extents }, directory, 'root', give);
    return { text: readFileSync(copy, 'utf8'), given };
  }

  it('names each file as the VMM sees it, once', () => {
    const lines = [
      'RW 8 FLAT "/a" 0',
      'RDONLY 8 FLAT "/b" 16',
      'RDONLY 8 FLAT "/a" 8',
      'RDONLY 4 ZERO',
      'ddb.x = "RW 1"',
    ];
    const { text, given } = relocate(lines, ['/a', '/b']);
    assert.deepEqual(given, ['/a', '/b']);
    assert.deepEqual(text.split('\n').slice(2, 7), [
      'RW 8 FLAT "/dev/fdset/10" 0',
      'RW 8 FLAT "/dev/fdset/11" 16',
      'RW 8 FLAT "/dev/fdset/10" 8',
      'RW 4 ZERO',
      'ddb.x = "RW 1"',
    ]);
  });

  it('resolves a relative name beside the descriptor', () => {
    const extent = join(directory, 'extent');
    assert.deepEqual(relocate(['RW 8 FLAT "extent" 0'], [extent]).given, [extent]);
  });

  const refused: Readonly<Record<string, readonly string[]>> = {
    'a file that the caller did not name': ['RW 8 FLAT "/etc/shadow" 0'],
    'a way out of the directory': ['RW 8 FLAT "../../etc/shadow" 0'],
    'a sparse extent': ['RW 8 SPARSE "/a"'],
    'an extent without access': ['NOACCESS 8 FLAT "/a" 0'],
    'a device': ['RW 8 FLAT "/a" 0 partitionUUID x'],
  };
  for (const [what, lines] of Object.entries(refused)) {
    it(`refuses ${what}`, () => assert.throws(() => relocate(lines, ['/a']), { code: 'INVALID_ARGUMENT' }));
  }

  it('refuses what is no descriptor', () => {
    const path = join(directory, 'raw');
    writeFileSync(path, 'KDMV');
    const disk = { path, format: 'vmdk', readOnly: true } as const;
    assert.throws(() => relocateExtents(disk, directory, 'root', () => assert.fail()), { code: 'INVALID_ARGUMENT' });
  });
});
