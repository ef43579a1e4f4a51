import assert from 'node:assert/strict';
import { lastName, linkedPath, parentOf, planCopy } from '../../dist/files/copy-plan.js';

const file = (path: string) => ({ path, isDirectory: false });
const directory = (path: string) => ({ path, isDirectory: true });

describe('a copy', () => {
  it('of a file goes into a directory, or becomes what is named', () => {
    assert.deepEqual(planCopy(file('/a/f'), { path: '/d', existing: 'directory' }), { directory: '/d', name: 'f' });
    assert.deepEqual(planCopy(file('/a/f'), { path: '/d/g', existing: 'other' }), { directory: '/d', name: 'g' });
    assert.deepEqual(planCopy(file('/a/f'), { path: '/d/g' }), { directory: '/d', name: 'g' });
    assert.deepEqual(planCopy(file('/a/f'), { path: '/g' }), { directory: '/', name: 'g' });
  });

  it('of a file does not make a directory', () => {
    assert.throws(() => planCopy(file('/a/f'), { path: '/d/' }), { code: 'NOT_FOUND' });
    assert.throws(() => planCopy(file('/a/f'), { path: '/d/g/', existing: 'other' }), { code: 'INVALID_ARGUMENT' });
  });

  it('of a directory goes into a directory, or becomes one', () => {
    assert.deepEqual(planCopy(directory('/a/s'), { path: '/d', existing: 'directory' }), {
      directory: '/d',
      name: 's',
    });
    assert.deepEqual(planCopy(directory('/a/s/'), { path: '/d', existing: 'directory' }), {
      directory: '/d',
      name: 's',
    });
    assert.deepEqual(planCopy(directory('/a/s'), { path: '/d/n' }), { directory: '/d', name: 'n' });
    assert.deepEqual(planCopy(directory('/a/s'), { path: '/d/n/' }), { directory: '/d', name: 'n' });
  });

  it('of what is in a directory takes no name of it', () => {
    assert.deepEqual(planCopy(directory('/a/s/.'), { path: '/d', existing: 'directory' }), {
      directory: '/d',
      name: '.',
    });
    assert.deepEqual(planCopy(directory('/'), { path: '/d', existing: 'directory' }), { directory: '/d', name: '.' });
    assert.deepEqual(planCopy(directory('/a/s/.'), { path: '/d/n' }), { directory: '/d', name: 'n' });
  });

  it('of a directory does not replace a file', () => {
    assert.throws(() => planCopy(directory('/a/s'), { path: '/d/f', existing: 'other' }), { code: 'INVALID_ARGUMENT' });
  });

  it('is named as the link was that is followed', () => {
    const source = { ...file('/elsewhere/target'), name: 'link' };
    assert.deepEqual(planCopy(source, { path: '/d', existing: 'directory' }), { directory: '/d', name: 'link' });
  });
});

describe('paths', () => {
  it('are taken apart as Docker does', () => {
    assert.deepEqual(['/', '/a', '/a/', '/a/.', '/a/b//'].map(lastName), ['.', 'a', 'a', '.', 'b']);
    assert.deepEqual(['/a', '/a/b', '/a/b/', '/a/b/.', 'a'].map(parentOf), ['/', '/a', '/a', '/a', '.']);
    assert.equal(linkedPath('/a/link', 'b/c'), '/a/b/c');
    assert.equal(linkedPath('/a/link', '/b'), '/b');
  });
});
