import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { padImage, relocateExtents } from '../dist/vmdk-descriptor.js';

describe('vmdk descriptor', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'vmdk-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function relocate(
    lines: readonly string[],
    extents: readonly string[],
    bytes?: number,
  ): { text: string; given: string[] } {
    const path = join(directory, 'image.vmdk');
    writeFileSync(path, ['# Disk DescriptorFile', 'version=1', ...lines, ''].join('\n'));
    const given: string[] = [];
    const give = (file: string): string => `/dev/fdset/${given.push(file) + 9}`;
    const options = { directory, slot: 'root', give, zeros: () => '/zeros', ...(bytes !== undefined && { bytes }) };
    const copy = relocateExtents({ path, format: 'vmdk', readOnly: true, extents }, options);
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
      'RW 4 FLAT "/zeros" 0',
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
    assert.throws(
      () => relocateExtents(disk, { directory, slot: 'root', give: () => assert.fail(), zeros: () => assert.fail() }),
      { code: 'INVALID_ARGUMENT' },
    );
  });

  it('has zeros behind it where the disk is to be larger, and never less than it holds', () => {
    const { text } = relocate(['RW 8 FLAT "/a" 0', '', 'RW 2 ZERO', 'ddb.x = "1"'], ['/a'], 16 * 512);
    assert.deepEqual(text.split('\n').slice(2), [
      'RW 8 FLAT "/dev/fdset/10" 0',
      'RW 2 FLAT "/zeros" 0',
      'RW 6 FLAT "/zeros" 0',
      'ddb.x = "1"',
      '',
    ]);
    rmSync(join(directory, 'root.vmdk'));
    assert.throws(() => relocate(['RW 8 FLAT "/a" 0'], ['/a'], 7 * 512), { code: 'UNSUPPORTED' });
  });

  it('shows a raw image with zeros behind it', () => {
    const path = join(directory, 'image');
    writeFileSync(path, Buffer.alloc(1024));
    const disk = { path, format: 'raw', readOnly: true } as const;
    const options = { directory, slot: 'root', give: () => '/image', zeros: () => '/zeros', bytes: 4096 };
    const lines = readFileSync(padImage(disk, options), 'utf8').split('\n');
    assert.deepEqual(lines.slice(-3), ['RW 2 FLAT "/image" 0', 'RW 6 FLAT "/zeros" 0', '']);
    writeFileSync(path, Buffer.alloc(1000));
    assert.throws(() => padImage(disk, options), { code: 'UNSUPPORTED' });
  });
});
