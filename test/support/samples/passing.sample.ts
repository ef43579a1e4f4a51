import assert from 'node:assert/strict';

describe('sample', () => {
  it('passes', () => assert.equal(1 + 1, 2));
});
