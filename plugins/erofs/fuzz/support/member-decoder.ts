/** Turns any bytes into the layers of an image, so that every mutation is another image. */
import type { Member } from '../../test/support/tar-builder.ts';

const NAMES = ['a', 'b', 'c', '\u00ff\u00e9', 'B', 'n'.repeat(255), 'm'.repeat(90)];
const MODES = [0o644, 0o755, 0o4755, 0o1777];
const OWNERS = [0, 7, 1000, 2 ** 32 - 1];
const XATTRS = [
  'user.a',
  'user.b',
  'security.capability',
  'trusted.x',
  'system.posix_acl_access',
  `user.${'x'.repeat(250)}`,
];
const MAX_MEMBERS = 40;
const MAX_LAYERS = 6;

class Bytes {
  private at = 0;

  private readonly input: Buffer;

  constructor(input: Buffer) {
    this.input = input;
  }

  get left(): boolean {
    return this.at < this.input.length;
  }

  next(): number {
    return this.input[this.at++] ?? 0;
  }

  of<T>(values: readonly T[]): T {
    return values[this.next() % values.length] as T;
  }
}

export function decodeLayers(input: Buffer): Member[][] {
  const bytes = new Bytes(input);
  const layers: Member[][] = [[]];
  for (let count = 0; bytes.left && count < MAX_MEMBERS; count++) {
    const kind = bytes.next();
    if (kind >= 250 && layers.length < MAX_LAYERS) layers.push([]);
    layers.at(-1)?.push(decodeMember(kind % 10, bytes));
  }
  return layers;
}

function decodeMember(kind: number, bytes: Bytes): Member {
  const name = path(bytes);
  switch (kind) {
    case 0:
      return { name: hidden(name), data: Buffer.alloc(0) };
    case 1:
      return { name: `${name}/.wh..wh..opq` };
    case 2:
      return { name, type: '1', link: path(bytes) };
    // A target that leads nowhere: what is followed through links is not in the model.
    case 3:
      return { name, type: '2', ...attributes(bytes), link: `nowhere/${path(bytes)}${'/t'.repeat(bytes.next() * 6)}` };
    case 4:
      return { name, type: '6', ...attributes(bytes) };
    case 5:
      return {
        name,
        type: bytes.of(['3', '4']),
        ...attributes(bytes),
        major: 1 + bytes.next() * 16,
        minor: bytes.next() * 4112,
      };
    case 6:
    case 7:
      return { name: `${name}/`, type: '5', ...attributes(bytes) };
    case 8:
      return sparseFile(name, bytes);
    default:
      return { name, ...attributes(bytes), data: content(bytes, bytes.next() * 33) };
  }
}

function path(bytes: Bytes): string {
  const depth = 1 + (bytes.next() % 3);
  return Array.from({ length: depth }, () => bytes.of(NAMES)).join('/');
}

/** The whiteout of a path; of a name as long as can be, a shorter one. */
function hidden(name: string): string {
  return name.replace(/([^/]*)$/, (_, base: string) => `.wh.${base.slice(0, 251)}`);
}

function attributes(bytes: Bytes): Partial<Member> {
  const xattrs = new Map<string, Buffer>();
  const selector = bytes.next();
  for (let i = 0; i < selector % 4; i++)
    xattrs.set(bytes.of(XATTRS), content(bytes, bytes.next() * (selector > 200 ? 40 : 1)));
  return {
    mode: bytes.of(MODES),
    uid: bytes.of(OWNERS),
    gid: bytes.of(OWNERS),
    mtime: bytes.next() * 2 ** (bytes.next() % 30),
    ...(selector < 128 ? {} : { nanoseconds: 1 + bytes.next() * 3_921_568 }),
    pax: [...xattrs].map(([name, value]) => [`SCHILY.xattr.${name}`, value] as const),
  };
}

/** Alternating holes and runs; `content` says what a reader sees. */
function sparseFile(name: string, bytes: Bytes): Member {
  const rest = attributes(bytes);
  const map: number[] = [];
  const stored: Buffer[] = [];
  const seen: Buffer[] = [];
  let size = 0;
  for (let runs = bytes.next() % 5; runs > 0; runs--) {
    const hole = bytes.next() * 97;
    const run = content(bytes, bytes.next() * 41);
    map.push(size + hole, run.length);
    stored.push(run);
    seen.push(Buffer.alloc(hole), run);
    size += hole + run.length;
  }
  const tail = bytes.next() * 129;
  const pax = [
    ...(rest.pax ?? []),
    ['GNU.sparse.size', String(size + tail)] as const,
    ['GNU.sparse.map', map.join(',')] as const,
  ];
  return { name, ...rest, pax, data: Buffer.concat(stored), content: Buffer.concat([...seen, Buffer.alloc(tail)]) };
}

function content(bytes: Bytes, length: number): Buffer {
  return Buffer.alloc(length, bytes.next());
}
