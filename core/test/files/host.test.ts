import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataItem, entryItem, FileType, type FileEntry, type FileItem } from '../../dist/files/file-items.js';
import { packHost } from '../../dist/files/host-pack.js';
import { unpackToHost } from '../../dist/files/host-unpack.js';

async function* stream<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

const entry = (path: string, type: FileType, more: Partial<FileEntry> = {}): FileItem =>
  entryItem({ path: Buffer.from(path), type, mode: 0o644, ...more });
const content = (path: string, data: string, more: Partial<FileEntry> = {}): FileItem[] => [
  entry(path, FileType.REGULAR, { size: BigInt(data.length), ...more }),
  dataItem(Buffer.from(data)),
];

describe('files on the host', () => {
  let home: string;
  let target: string;
  beforeEach(() => {
    home = fs.mkdtempSync(join(tmpdir(), 'host-'));
    target = join(home, 'target');
    fs.mkdirSync(target);
    fs.writeFileSync(join(home, 'outside'), 'untouched');
  });
  afterEach(() => {
    assert.equal(fs.readFileSync(join(home, 'outside'), 'utf8'), 'untouched');
    fs.rmSync(home, { recursive: true });
  });
  const unpack = (items: readonly FileItem[], keepOwners = false) =>
    unpackToHost(stream(items), target, { keepOwners });
  const refuses = (items: readonly FileItem[], code: string) => assert.rejects(unpack(items), { code });

  it('are packed and unpacked as they are', async () => {
    const source = join(home, 'source');
    fs.mkdirSync(join(source, 'sub'), { recursive: true });
    fs.writeFileSync(join(source, 'a'), 'one');
    fs.chmodSync(join(source, 'a'), 0o640);
    fs.linkSync(join(source, 'a'), join(source, 'sub/same'));
    fs.symlinkSync('../nowhere', join(source, 'link'));
    fs.writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0xff, 0x0a, 0x61])]), 'bytes');
    execFileSync('mkfifo', ['-m', '622', join(source, 'fifo')]);
    fs.truncateSync(
      execFileSync('sh', ['-c', `: > ${source}/holes; echo ${source}/holes`], { encoding: 'utf8' }).trim(),
      5_000_000,
    );
    execFileSync('find', [source, '-exec', 'touch', '-h', '-d', '@1000.5', '{}', '+']);
    fs.chmodSync(join(source, 'sub'), 0o500);
    await unpackToHost(packHost(source, { name: 'copy' }), target, { keepOwners: false });
    const list = (directory: string) =>
      execFileSync('find', ['.', '-printf', '%P %y %m %s %n %l %T@ %A@\\0'], { cwd: directory, encoding: 'latin1' })
        .split('\0')
        .map((line) => line.replace(/ \S+$/, '').replace(/^(\S* d \d+) \d+ \d+/, '$1'))
        .sort();
    assert.deepEqual(list(join(target, 'copy')), list(source));
    assert.ok(fs.statSync(join(target, 'copy/holes')).blocks < 100);
    fs.chmodSync(join(target, 'copy/sub'), 0o700);
    fs.chmodSync(join(source, 'sub'), 0o700);
  });

  it('do not leave the target by their paths', async () => {
    for (const path of ['../outside', '/outside', 'a/../../outside', '..', 'a//b', '', 'a/', './a']) {
      await refuses(content(path, 'x'), 'INVALID_ARGUMENT');
    }
    await refuses([entry('same', FileType.HARD_LINK, { link: Buffer.from('../outside') })], 'INVALID_ARGUMENT');
    assert.deepEqual(fs.readdirSync(target), []);
  });

  it('do not leave the target through links that came before them', async () => {
    const up = entry('up', FileType.SYMBOLIC_LINK, { link: Buffer.from('..') });
    await refuses([up, ...content('up/outside', 'x')], 'INVALID_ARGUMENT');
    const file = entry('file', FileType.SYMBOLIC_LINK, { link: Buffer.from('../outside') });
    await unpack([file, ...content('file', 'new')]);
    assert.equal(fs.readFileSync(join(target, 'file'), 'utf8'), 'new', 'the link was replaced');
    const through = [file, entry('again', FileType.HARD_LINK, { link: Buffer.from('up/outside') })];
    await refuses(through, 'INVALID_ARGUMENT');
  });

  it('do not leave the target through links that were there', async () => {
    fs.mkdirSync(join(home, 'elsewhere'));
    fs.symlinkSync('../elsewhere', join(target, 'link'));
    await refuses(content('link/file', 'x'), 'INVALID_ARGUMENT');
    await refuses([entry('link', FileType.DIRECTORY)], 'CONFLICT');
    assert.deepEqual(fs.readdirSync(join(home, 'elsewhere')), []);
  });

  it('replace files, and neither directories nor with them', async () => {
    fs.mkdirSync(join(target, 'directory'));
    fs.writeFileSync(join(target, 'file'), 'old');
    await unpack(content('file', 'new'));
    assert.equal(fs.readFileSync(join(target, 'file'), 'utf8'), 'new');
    await refuses(content('directory', 'x'), 'CONFLICT');
    await refuses([entry('file', FileType.DIRECTORY)], 'CONFLICT');
  });

  it('are no devices', async () => {
    for (const type of [FileType.CHARACTER_DEVICE, FileType.BLOCK_DEVICE]) {
      await refuses([entry('null', type, { deviceMajor: 1, deviceMinor: 3 })], 'UNSUPPORTED');
    }
    for (const type of [FileType.WHITEOUT, FileType.SOCKET, FileType.UNSPECIFIED]) {
      await refuses([entry('x', type)], 'INVALID_ARGUMENT');
    }
  });

  it('lend nobody rights unless their owners are kept', async function () {
    await unpack(content('setuid', 'x', { mode: 0o6755 }));
    assert.equal(fs.statSync(join(target, 'setuid')).mode & 0o7777, 0o755);
    if (process.getuid?.() !== 0) this.skip();
    await unpack(content('kept', 'x', { mode: 0o4755, uid: 1234, gid: 5678 }), true);
    const { mode, uid, gid } = fs.statSync(join(target, 'kept'));
    assert.deepEqual([mode & 0o7777, uid, gid], [0o4755, 1234, 5678]);
  });

  it('have as much data as they were said to have', async () => {
    const four = entry('four', FileType.REGULAR, { size: 4n });
    await refuses([four, dataItem(Buffer.alloc(5))], 'INVALID_ARGUMENT');
    await refuses([four, dataItem(Buffer.alloc(3))], 'INVALID_ARGUMENT');
    await refuses([dataItem(Buffer.alloc(3))], 'INVALID_ARGUMENT');
    const runs = [{ offset: 2n, length: 4n }];
    await refuses(
      [entry('wrong', FileType.REGULAR, { size: 4n, sparse: true, runs }), dataItem(Buffer.alloc(4))],
      'INVALID_ARGUMENT',
    );
  });

  it('have their data where it belongs, however it was cut', async () => {
    const lengths = [3, 0, 5, 1, 7];
    const runs = lengths.map((length, index) => ({ offset: BigInt(index * 100), length: BigInt(length) }));
    const bytes = Buffer.from('abcdefghijklmnop');
    for (const piece of [1, 2, 5, 16]) {
      const pieces = Array.from({ length: Math.ceil(16 / piece) }, (_, index) =>
        dataItem(bytes.subarray(index * piece, (index + 1) * piece)),
      );
      await unpack([entry('holes', FileType.REGULAR, { size: 500n, sparse: true, runs }), ...pieces]);
      const read = fs.readFileSync(join(target, 'holes'));
      assert.deepEqual(
        [0, 200, 300, 400].map((at) => read.toString('utf8', at, at + 7).replaceAll('\0', '')),
        [...['abc', 'defgh', 'i', 'jklmnop']],
      );
    }
  });

  it('are no pipes whose names this system cannot be told', async () => {
    const path = Buffer.from([0x61, 0xff]);
    await refuses([entryItem({ path, type: FileType.FIFO, mode: 0o644 })], 'UNSUPPORTED');
    await unpack([entry('pipe', FileType.FIFO)]);
    assert.ok(fs.statSync(join(target, 'pipe')).isFIFO());
  });
});
