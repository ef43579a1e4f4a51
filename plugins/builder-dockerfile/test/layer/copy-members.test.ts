import assert from 'node:assert/strict';
import type { ImageFile } from '@a3s-box/core';
import { copyMembers, type CopyEntry, type CopyRequest, type CopySource } from '../../dist/layer/copy-members.js';

const PLAIN = {
  ...{ mode: 0o640, uid: 7, gid: 8, mtime: 5, mtimeNanoseconds: 6, size: 0, target: '' },
  ...{ deviceMajor: 0, deviceMinor: 0, xattrs: [] },
} as const;

/** What an image has: a name with a slash at its end is a directory, one with an arrow a link. */
function image(...names: readonly string[]) {
  const entries = new Map<string, ImageFile>([['', { ...PLAIN, path: '', type: 'directory', number: 0 }]]);
  const links = new Map<string, string>();
  for (const [number, name] of names.entries()) {
    const [path = '', to] = name.replace(/\/$/, '').split(' -> ');
    if (to !== undefined) links.set(path, to);
    else entries.set(path, { ...PLAIN, path, type: name.endsWith('/') ? 'directory' : 'file', number: number + 1 });
  }
  return {
    find(path: string): ImageFile | undefined {
      const [first = '', ...rest] = path.split('/');
      const to = links.get(first);
      return entries.get(to === undefined ? path : [to, ...rest].join('/'));
    },
  };
}

function file(path: string, content = 'x'): CopyEntry {
  async function* bytes() {
    yield Buffer.from(content);
  }
  return { ...PLAIN, path, type: 'file', size: content.length, content: bytes };
}

function source(name: string, ...entries: readonly string[]): CopySource {
  const isDirectory = entries.length > 0;
  async function* all(): AsyncGenerator<CopyEntry> {
    if (!isDirectory) yield file('');
    else yield { ...file(''), type: 'directory' };
    for (const path of entries)
      yield path.endsWith('/') ? { ...file(path.slice(0, -1)), type: 'directory' } : file(path);
  }
  return { name, isDirectory, entries: all };
}

async function names(
  of: ReturnType<typeof image>,
  target: string,
  sources: readonly CopySource[],
  more: Partial<CopyRequest> = {},
) {
  const request = { sources, target, owner: { uid: 0, gid: 0 }, parents: false, time: 9, ...more };
  const members = await Array.fromAsync(copyMembers(of, request));
  return members.map(({ name, type }) => (type === 'directory' ? `${name}/` : name));
}

describe('what COPY puts in a layer', () => {
  const one = source('dir/one');
  const tree = source('tree', 'a', 'sub/', 'sub/b');
  const cases: readonly (readonly [
    title: string,
    has: readonly string[],
    target: string,
    sources: readonly CopySource[],
    members: readonly string[],
  ])[] = [
    ['a file by its new name', ['etc/'], '/etc/new', [one], ['etc/new']],
    ['a file over another', ['etc/', 'etc/old'], '/etc/old', [one], ['etc/old']],
    ['a file in a directory that is there', ['etc/'], '/etc', [one], ['etc/one']],
    ['a file in a directory that the slash means', [], '/new/', [one], ['new/', 'new/one']],
    ['a file below directories that are not there', ['a/'], '/a/b/c/d', [one], ['a/b/', 'a/b/c/', 'a/b/c/d']],
    ['several files', [], '/to', [one, source('two')], ['to/', 'to/one', 'to/two']],
    ['the content of a directory', [], '/to', [tree], ['to/', 'to/a', 'to/sub/', 'to/sub/b']],
    ['something at the root', [], '/', [tree, one], ['a', 'sub/', 'sub/b', 'one']],
    ['something where a link leads', ['usr/', 'usr/lib/', 'lib -> usr/lib'], '/lib/x', [one], ['usr/lib/x']],
    ['a file where a link to one leads', ['real', 'link -> real'], '/link', [one], ['real']],
  ];
  for (const [title, has, target, sources, members] of cases) {
    it(`is ${title}`, async () => assert.deepEqual(await names(image(...has), target, sources), members));
  }

  it('has the directories above a source with --parents', async () => {
    const sources = [source('x/y/one'), source('x/tree', 'a')];
    assert.deepEqual(await names(image('to/', 'to/x/'), '/to', sources, { parents: true }), [
      ...['to/x/y/', 'to/x/y/one', 'to/x/tree/', 'to/x/tree/a'],
    ]);
  });

  it('has owner, modes and times', async () => {
    const request = { sources: [one], target: '/new/', owner: { uid: 1, gid: 2 }, parents: false, time: 9 };
    const [made, copied] = await Array.fromAsync(copyMembers(image(), request));
    assert.deepEqual([made?.mode, made?.uid, made?.gid, made?.mtime], [0o755, 1, 2, 9]);
    assert.deepEqual(
      [copied?.mode, copied?.uid, copied?.gid, copied?.mtime, copied?.mtimeNanoseconds],
      [0o640, 1, 2, 5, 6],
    );
    const [, other] = await Array.fromAsync(copyMembers(image(), { ...request, mode: 0o4755 }));
    assert.equal(other?.mode, 0o4755);
  });

  it('is refused where something is in the way', async () => {
    await assert.rejects(names(image('f'), '/f/', [one]), {
      code: 'BUILD_STEP_FAILED',
      message: /^\/f is no directory/,
    });
    await assert.rejects(names(image('f'), '/f/x', [one]), {
      code: 'BUILD_STEP_FAILED',
      message: /^\/f is no directory/,
    });
    await assert.rejects(names(image('to/', 'to/sub'), '/to', [tree]), {
      message: /^\/to\/sub is in the way.* a directory$/,
    });
    await assert.rejects(names(image('to/', 'to/a/'), '/to', [tree]), {
      message: /^\/to\/a is in the way.* no directory$/,
    });
  });
});
