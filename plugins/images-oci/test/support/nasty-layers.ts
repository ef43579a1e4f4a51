/** Layers that go wrong easily, by name. Each is an image of one or more layers; the uppermost comes last. */
import { archive, type Member } from '../../../erofs/test/support/tar-builder.ts';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const dir = (name: string, rest: Partial<Member> = {}): Member => ({
  name: `${name}/`,
  type: '5',
  mode: 0o755,
  mtime: 1_600_000_000,
  ...rest,
});
const file = (name: string, content = name, rest: Partial<Member> = {}): Member => ({
  name,
  data: text(content),
  mtime: 1_600_000_001,
  ...rest,
});
const link = (name: string, target: string): Member => ({
  name,
  type: '2',
  link: target,
  mode: 0o777,
  mtime: 1_600_000_002,
});
const hard = (name: string, target: string): Member => ({ name, type: '1', link: target, mtime: 1_600_000_001 });
const root = dir('.');

const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

const IMAGES: Readonly<Record<string, readonly (readonly Member[])[]>> = {
  'whiteouts over files, directories and links': [
    [
      root,
      file('f'),
      dir('d'),
      file('d/x'),
      dir('d/e'),
      file('d/e/y'),
      link('l', 'f'),
      link('dangling', 'none'),
      file('kept'),
    ],
    [root, file('.wh.f', ''), file('.wh.d', ''), file('.wh.l', ''), file('.wh.dangling', ''), file('.wh.never', '')],
  ],
  'a whiteout and a new directory of one name': [
    [root, dir('d'), file('d/old'), dir('e'), file('e/old')],
    [
      root,
      file('.wh.d', ''),
      dir('d', { mode: 0o700 }),
      file('d/new'),
      dir('e', { mode: 0o711 }),
      file('e/new'),
      file('e/.wh.old', ''),
    ],
  ],
  'opaque directories': [
    [root, dir('d'), file('d/a'), dir('d/sub'), file('d/sub/b')],
    [root, dir('d'), file('d/.wh..wh..opq', ''), file('d/c')],
    [root, dir('d'), file('d/e')],
  ],
  'directories and files that replace each other': [
    [root, dir('a'), file('a/x'), file('b'), link('c', 'a'), dir('s'), file('s/x')],
    [root, file('a', 'now a file'), dir('b'), file('b/y'), dir('c'), file('c/z'), link('s', 'b')],
    [root, dir('a'), file('a/again'), file('s', 'file for link')],
  ],
  'hard links within and across layers': [
    [root, file('a', 'shared'), hard('b', 'a'), dir('d'), hard('d/c', 'b'), file('solo', 'solo')],
    [root, file('a', 'replaced'), dir('d', { mtime: 1_600_000_005 }), file('.wh.b', '')],
    [root, hard('late', 'solo')],
  ],
  'devices, fifos, special modes and owners': [
    [
      root,
      { name: 'null', type: '3', mode: 0o666, major: 1, minor: 3, mtime: 7 },
      { name: 'big', type: '4', mode: 0o660, major: 259, minor: 300_000, mtime: 7 },
      { name: 'pipe', type: '6', mode: 0o622, mtime: 7 },
      file('setuid', 's', { mode: 0o4755 }),
      file('setgid', 's', { mode: 0o2755, uid: 5, gid: 6 }),
      dir('sticky', { mode: 0o1777 }),
      file('owned', 'o', { uid: 1_000_000, gid: 2_000_000_000 }),
    ],
  ],
  'capabilities and attributes': [
    [
      root,
      file('cap', 'x', { mode: 0o755, pax: [['SCHILY.xattr.security.capability', CAPABILITY]] }),
      file('user', 'x', {
        pax: [
          ['SCHILY.xattr.user.one', '1'],
          ['SCHILY.xattr.user.bytes', Buffer.from([0, 255, 10, 61])],
        ],
      }),
      dir('d', { pax: [['SCHILY.xattr.user.dir', 'd']] }),
      file('much', 'x', { pax: [['SCHILY.xattr.user.long', 'v'.repeat(3500)]] }),
    ],
    [root, file('user', 'y'), dir('d', { pax: [['SCHILY.xattr.user.other', 'e']] })],
  ],
  'names that are long, odd or no UTF-8': [
    [
      root,
      file(`${'n'.repeat(255)}`),
      ...['a', 'b', 'c', 'd'].reduce<Member[]>((members, letter) => {
        const parent = members.at(-1)?.name ?? '';
        return [...members, dir(`${parent}${letter.repeat(200)}`)];
      }, []),
      file('\u00ff\u00fe\u0080'),
      file('\u00c3\u00a9-utf8'),
      file('e\u00cc\u0081-decomposed'),
      file(' space\ttab\nnewline'),
      file('-dash'),
      file('\\backslash"quote'),
      file('Case'),
      file('case'),
      file('CASE'),
    ],
  ],
  'times with nanoseconds, before 1970 and far ahead': [
    [
      root,
      file('ns', 'x', { pax: [['mtime', '1234567890.123456789']] }),
      file('before', 'x', { pax: [['mtime', '-1.5']] }),
      file('ahead', 'x', { pax: [['mtime', '4102444800.000000001']] }),
    ],
  ],
  'entries that come twice': [
    [
      root,
      file('f', 'first'),
      file('f', 'second'),
      dir('d', { mode: 0o700 }),
      file('d/x'),
      dir('d', { mode: 0o755 }),
      link('l', 'f'),
      file('l', 'now a file'),
    ],
  ],
  'implied directories above links of a lower layer': [
    [root, dir('usr'), dir('usr/lib'), file('usr/lib/x'), link('lib', 'usr/lib'), link('abs', '/usr')],
    [file('lib/y'), file('abs/lib/z')],
  ],
  'a directory whose entries fill many blocks': [
    [
      root,
      dir('big'),
      ...Array.from({ length: 2000 }, (_, i) => file(`big/entry-${'x'.repeat(i % 90)}-${i}`, String(i))),
    ],
  ],
  'a hundred layers': Array.from({ length: 100 }, (_, i) => [
    root,
    file(`f${i}`, `layer ${i}`),
    file('same', String(i)),
    ...(i % 7 === 3 ? [file(`.wh.f${i - 1}`, '')] : []),
  ]),
  'empty layers': [[root, file('a')], [], [], [root, file('b')], []],
};

export const NASTY_IMAGES: readonly { name: string; layers: Buffer[] }[] = Object.entries(IMAGES).map(
  ([name, layers]) => ({ name, layers: layers.map((members) => archive(members)) }),
);

/** All of them as one list of layers, each in a directory of its own below `nasty/`. */
export function nastyTogether(): Buffer[] {
  const images = Object.values(IMAGES);
  const depth = Math.max(...images.map(({ length }) => length));
  return Array.from({ length: depth }, (_, level) =>
    archive([
      ...(level === 0 ? [dir('nasty')] : []),
      ...images.flatMap((layers, index) => (layers[level] ?? []).map((member) => below(`nasty/${index}/`, member))),
    ]),
  );
}

function below(directory: string, member: Member): Member {
  const name = `${directory}${member.name}`;
  return member.type === '1' ? { ...member, name, link: `${directory}${member.link ?? ''}` } : { ...member, name };
}
