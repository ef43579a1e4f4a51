import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseHistory } from '../dist/image-history.js';

describe('the history of an image', () => {
  it('has its steps, of which some made no layer', () => {
    const history = [
      { created: '2024-01-01T00:00:00Z', created_by: 'ADD file', comment: 'base', author: 'x' },
      { created_by: 'CMD ["sh"]', empty_layer: true },
    ];
    assert.deepEqual(parseHistory({ history }), [
      { created: '2024-01-01T00:00:00Z', createdBy: 'ADD file', comment: 'base', isEmpty: false },
      { createdBy: 'CMD ["sh"]', isEmpty: true },
    ]);
  });

  it('leaves out what is none', () => {
    for (const history of [undefined, null, {}, 'x', 1]) assert.deepEqual(parseHistory({ history }), []);
    const odd = [null, 1, { created: 1, created_by: {}, empty_layer: 'true' }];
    assert.deepEqual(
      parseHistory({ history: odd }),
      odd.map(() => ({ isEmpty: false })),
    );
    assert.equal(parseHistory({ history: Array.from({ length: 100_000 }, () => ({})) }).length, 4096);
  });
});
