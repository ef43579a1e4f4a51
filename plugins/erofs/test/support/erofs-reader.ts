/**
 * A small reader of uncompressed EROFS, written from the format's description alone, so that it shares no mistake with
 * the writer. It checks the rules that a kernel relies on while it reads.
 */
import assert from 'node:assert/strict';

export interface Node {
  readonly nid: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: bigint;
  readonly nanoseconds: number;
  readonly links: number;
  readonly rdev: number;
  /** Names to values in hexadecimal. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** Content of a file, target of a link; empty for files of more than 64 MiB. */
  readonly content: Buffer;
  /** Number of blocks that hold no data. */
  readonly holes: number;
  readonly entries: ReadonlyMap<string, Node>;
}

const BLOCK = 4096;
/** The content of larger files is not read; where it lies is checked. */
const MAX_CONTENT = 64 * 1024 * 1024;
const PREFIXES: Readonly<Record<number, string>> = {
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  6: 'security.',
};
const TYPE_OF: Readonly<Record<number, number>> = { 8: 1, 4: 2, 2: 3, 6: 4, 1: 5, 12: 6, 10: 7 };

/** Reads a file system from its primary file and further devices. */
export function readErofs(primary: Buffer, devices: readonly Buffer[] = []): Node {
  return new Reader(primary, devices).root();
}

/** All paths of a tree in order, `/`-joined latin1 strings; the root is ''. */
export function* walk(node: Node, path = ''): Generator<[string, Node]> {
  yield [path, node];
  for (const [name, child] of node.entries) yield* walk(child, path === '' ? name : `${path}/${name}`);
}

class Reader {
  private readonly nodes = new Map<number, Node>();
  private readonly references = new Map<number, number>();
  private readonly metaBlock: number;
  private readonly rootNid: number;
  private readonly primary: Buffer;
  private readonly devices: readonly Buffer[];

  constructor(primary: Buffer, devices: readonly Buffer[]) {
    this.primary = primary;
    this.devices = devices;
    const sb = Buffer.from(primary.subarray(1024, BLOCK));
    assert.equal(sb.readUInt32LE(0), 0xe0f5e1e2, 'magic');
    const stored = sb.readUInt32LE(4);
    sb.writeUInt32LE(0, 4);
    assert.equal(bitwiseCrc32c(sb), stored, 'superblock checksum');
    assert.equal(sb[12], 12, 'block size');
    assert.equal(sb.readUInt32LE(36) * BLOCK, primary.length, 'blocks of the superblock');
    assert.equal(sb.readUInt32LE(80) & ~0xc, 0, 'features');
    this.rootNid = sb.readUInt16LE(14);
    this.metaBlock = sb.readUInt32LE(40);
    const count = sb.readUInt32LE(80) & 8 ? sb.readUInt16LE(86) : 0;
    assert.equal(count, devices.length, 'device count');
    this.checkDevices(count, sb.readUInt16LE(88) * 128);
    const inodes = sb.readBigUInt64LE(16);
    const root = this.node(this.rootNid, this.rootNid);
    assert.equal(BigInt(this.nodes.size), inodes, 'inode count');
    for (const [nid, node] of this.nodes) {
      const subdirectories = [...node.entries.values()].filter(({ mode }) => mode >> 12 === 4).length;
      const expected = node.mode >> 12 === 4 ? 2 + subdirectories : this.references.get(nid);
      assert.equal(node.links, expected, `links of nid ${nid}`);
    }
    assert.equal(root, this.nodes.get(this.rootNid));
  }

  root(): Node {
    return this.nodes.get(this.rootNid) as Node;
  }

  private checkDevices(count: number, at: number): void {
    let next = this.primary.length / BLOCK;
    for (let i = 0; i < count; i++) {
      const slot = this.primary.subarray(at + 128 * i, at + 128 * (i + 1));
      assert.equal(slot.readUInt32LE(64) * BLOCK, this.devices[i]?.length, 'device blocks');
      assert.equal(slot.readUInt32LE(68), next, 'device address');
      next += slot.readUInt32LE(64);
    }
  }

  private node(nid: number, parent: number): Node {
    const known = this.nodes.get(nid);
    if (known !== undefined) return known;
    const at = this.metaBlock * BLOCK + nid * 32;
    const inode = this.primary.subarray(at, at + 64);
    const format = inode.readUInt16LE(0);
    assert.equal(format & ~0xf, 0, 'inode format');
    assert.equal(format & 1, 1, 'extended inode');
    const layout = format >> 1;
    const icount = inode.readUInt16LE(2);
    const xattrBytes = icount === 0 ? 0 : 12 + 4 * (icount - 1);
    const mode = inode.readUInt16LE(4);
    const size = Number(inode.readBigUInt64LE(8));
    const type = mode >> 12;
    const hasData = type === 8 || type === 4 || type === 10;
    const { content, holes } = hasData
      ? this.content(at, 64 + xattrBytes, layout, size, inode.readUInt32LE(16))
      : { content: Buffer.alloc(0), holes: 0 };
    const entries = new Map<string, Node>();
    const node: Node = {
      nid,
      mode,
      uid: inode.readUInt32LE(24),
      gid: inode.readUInt32LE(28),
      size,
      mtime: inode.readBigInt64LE(32),
      nanoseconds: inode.readUInt32LE(40),
      links: inode.readUInt32LE(44),
      rdev: type === 2 || type === 6 ? inode.readUInt32LE(16) : 0,
      xattrs: this.xattrs(at + 64, xattrBytes),
      content: type === 4 ? Buffer.alloc(0) : content,
      holes,
      entries,
    };
    assert.ok(node.nanoseconds < 1e9, 'nanoseconds');
    this.nodes.set(nid, node);
    if (type === 4) this.list(content, nid, parent, entries);
    return node;
  }

  private list(content: Buffer, nid: number, parent: number, entries: Map<string, Node>): void {
    let previous: Buffer | undefined;
    const dots = new Map<string, number>();
    for (let start = 0; start < content.length; start += BLOCK) {
      const block = content.subarray(start, start + BLOCK);
      const count = block.readUInt16LE(8) / 12;
      for (let i = 0; i < count; i++) {
        const from = block.readUInt16LE(12 * i + 8);
        const to = i + 1 < count ? block.readUInt16LE(12 * i + 20) : block.length;
        let name = block.subarray(from, to);
        if (i + 1 === count && name.includes(0)) name = name.subarray(0, name.indexOf(0));
        assert.ok(name.length > 0 && name.length <= 255 && !name.includes(0) && !name.includes(0x2f), 'name');
        if (previous !== undefined) assert.ok(Buffer.compare(previous, name) < 0, 'order of names');
        previous = name;
        const child = Number(block.readBigUInt64LE(12 * i));
        const text = name.toString('latin1');
        if (text === '.' || text === '..') {
          dots.set(text, child);
          assert.equal(block[12 * i + 10], 2);
          continue;
        }
        const node = this.node(child, nid);
        assert.equal(block[12 * i + 10], TYPE_OF[node.mode >> 12], 'type of a directory entry');
        this.references.set(child, (this.references.get(child) ?? 0) + 1);
        entries.set(text, node);
      }
    }
    assert.equal(dots.get('.'), nid, 'entry .');
    assert.equal(dots.get('..'), parent, 'entry ..');
  }

  private content(
    at: number,
    head: number,
    layout: number,
    size: number,
    union: number,
  ): { content: Buffer; holes: number } {
    if (size === 0) return { content: Buffer.alloc(0), holes: 0 };
    if (layout === 0) return { content: this.bytes(this.primary, union * BLOCK, size), holes: 0 };
    if (layout === 2) {
      const whole = Math.floor(size / BLOCK) * BLOCK;
      assert.ok((at % BLOCK) + head + (size - whole) <= BLOCK, 'tail in the block of its inode');
      const tail = this.bytes(this.primary, at + head, size - whole);
      return {
        content: Buffer.concat([
          whole === 0 ? tail.subarray(0, 0) : this.bytes(this.primary, union * BLOCK, whole),
          tail,
        ]),
        holes: 0,
      };
    }
    assert.equal(layout, 4, 'data layout');
    return this.chunks(at + head, size, union);
  }

  private chunks(at: number, size: number, format: number): { content: Buffer; holes: number } {
    const chunkBytes = BLOCK * 2 ** (format & 0x1f);
    const indexed = (format & 0x20) !== 0;
    const unit = indexed ? 8 : 4;
    const start = Math.ceil(at / unit) * unit;
    const content = Buffer.alloc(size > MAX_CONTENT ? 0 : size);
    let holes = 0;
    for (let chunk = 0; chunk * chunkBytes < size; chunk++) {
      const entry = start + chunk * unit;
      const block = this.primary.readUInt32LE(entry + (indexed ? 4 : 0));
      const device = indexed ? this.primary.readUInt16LE(entry + 2) : 0;
      const length = Math.min(chunkBytes, size - chunk * chunkBytes);
      if (block === 0xffffffff) {
        holes += Math.ceil(length / BLOCK);
        continue;
      }
      const source = device === 0 ? this.primary : this.devices[device - 1];
      assert.ok(source !== undefined, 'device of a chunk');
      this.bytes(source, block * BLOCK, length).copy(content, chunk * chunkBytes);
    }
    return { content, holes };
  }

  private bytes(source: Buffer, at: number, length: number): Buffer {
    assert.ok(at + length <= source.length, 'address in its device');
    return source.subarray(at, at + length);
  }

  private xattrs(at: number, bytes: number): Record<string, string> {
    const found: Record<string, string> = {};
    if (bytes === 0) return found;
    assert.equal(this.primary[at + 4], 0, 'shared attributes');
    let entry = at + 12;
    while (entry < at + bytes) {
      const nameLength = this.primary[entry] as number;
      const prefix = PREFIXES[this.primary[entry + 1] as number];
      assert.ok(prefix !== undefined, 'attribute prefix');
      const valueLength = this.primary.readUInt16LE(entry + 2);
      const name = this.primary.toString('latin1', entry + 4, entry + 4 + nameLength);
      found[prefix + name] = this.primary.toString('hex', entry + 4 + nameLength, entry + 4 + nameLength + valueLength);
      entry += Math.ceil((4 + nameLength + valueLength) / 4) * 4;
    }
    assert.equal(entry, at + bytes, 'attribute area');
    return found;
  }
}

/** CRC-32C, bit by bit, start all ones, not inverted at the end. */
function bitwiseCrc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return crc >>> 0;
}
