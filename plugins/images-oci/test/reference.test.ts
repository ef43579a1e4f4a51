import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { isBoxError } from '@a3s-box/core';
import { fullName, parseReference, repositoryOf } from '../dist/index.js';

describe('image references', () => {
  const normal: readonly (readonly [string, string])[] = [
    ['alpine', 'docker.io/library/alpine:latest'],
    ['alpine:3.20', 'docker.io/library/alpine:3.20'],
    ['a3s/starter', 'docker.io/a3s/starter:latest'],
    ['docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['index.docker.io/library/alpine', 'docker.io/library/alpine:latest'],
    ['localhost/x', 'localhost/x:latest'],
    ['localhost:5000/x:y', 'localhost:5000/x:y'],
    ['127.0.0.1:5000/a/b/c', '127.0.0.1:5000/a/b/c:latest'],
    ['[::1]:5000/x', '[::1]:5000/x:latest'],
    ['ghcr.io/Owner'.toLowerCase(), 'ghcr.io/owner:latest'],
    ['Host/x', 'Host/x:latest'],
    ['a/b__c/d-e.f', 'docker.io/a/b__c/d-e.f:latest'],
  ];
  for (const [text, full] of normal) it(`${text} is ${full}`, () => assert.equal(fullName(text), full));

  it('keep a digest, and have no tag then unless one is given', () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    assert.deepEqual(parseReference(`x@${digest}`), { domain: 'docker.io', path: 'library/x', digest });
    assert.equal(parseReference(`x:1@${digest}`).tag, '1');
    assert.throws(() => fullName(`x@${digest}`), { code: 'INVALID_REFERENCE' });
  });

  for (const text of [
    '',
    ':',
    '@',
    'A',
    'a b',
    'a/',
    '/a',
    'a//b',
    'a:',
    'a:-x',
    'a@sha256:12',
    'a@md5:00',
    'a..b',
    'a___b',
    '-a',
    'a:b:c',
    `${'a'.repeat(64)}`,
    `a/${'b'.repeat(300)}`,
    'x\n',
    '../x',
    'a/../b',
    'http://x/y',
  ]) {
    it(`refuse ${JSON.stringify(text).slice(0, 40)}`, () =>
      assert.throws(() => parseReference(text), { code: 'INVALID_REFERENCE' }));
  }

  it('are stable under normalisation, and anything else is refused', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.:/@_-]{1,40}$/)), (text) => {
        let full: string;
        try {
          full = fullName(text);
        } catch (error) {
          assert.ok(isBoxError(error) && error.code === 'INVALID_REFERENCE');
          return;
        }
        assert.equal(fullName(full), full);
        const { tag, ...repository } = parseReference(full);
        assert.equal(`${repositoryOf(repository)}:${tag}`, full);
      }),
      { numRuns: 3000 },
    );
  });
});
