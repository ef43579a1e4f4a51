import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { rangeStart } from '../dist/registry-body.js';
import { parseChallenges } from '../dist/registry-challenge.js';

const plain = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('challenges of registries', () => {
  it('are read one after the other, in quotes and without', () => {
    assert.deepEqual(
      plain(
        'Bearer realm="https://a/t?x=1,2",service=reg,Scope="repository:a/b:pull,push", Basic realm="say \\"hi\\""',
      ),
      [
        ['bearer', { realm: 'https://a/t?x=1,2', service: 'reg', scope: 'repository:a/b:pull,push' }],
        ['basic', { realm: 'say "hi"' }],
      ],
    );
    assert.deepEqual(plain('Basic'), [['basic', {}]]);
    assert.deepEqual(plain(''), []);
  });

  it('come back as they were written', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
    const text = fc.string({ maxLength: 20 }).filter((it) => !/[\r\n]/.test(it));
    const challenge = fc.tuple(word, fc.dictionary(word, text, { minKeys: 1, maxKeys: 4 }));
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), (all) => {
        const header = all
          .map(([scheme, fields]) => {
            const list = Object.entries(fields).map(([key, it]) => `${key}="${it.replace(/["\\]/g, '\\$&')}"`);
            return `${scheme} ${list.join(', ')}`;
          })
          .join(', ');
        assert.deepEqual(
          plain(header),
          all.map(([scheme, fields]) => [scheme, { ...fields }]),
        );
      }),
    );
  });

  it('of any text end', () => {
    fc.assert(fc.property(fc.string({ maxLength: 400 }), (text) => void parseChallenges(text)));
  });
});

describe('a range', () => {
  it('is read as far as it says where it begins', () => {
    assert.equal(rangeStart('bytes 5-9/10'), 5);
    assert.equal(rangeStart('bytes 0-9/*'), 0);
    for (const text of [undefined, '', 'bytes */10', 'items 5-9/10', 'bytes 5-'])
      assert.equal(rangeStart(text), undefined);
  });
});
