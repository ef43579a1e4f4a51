import assert from 'node:assert/strict';

describe('sample', () => {
  it('fails', () => assert.equal('apple', 'pear'));
  it('passes', () => assert.ok(true));
});
