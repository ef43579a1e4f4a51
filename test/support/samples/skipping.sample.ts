import { skip } from '../skip.ts';

describe('sample', () => {
  it('has a reason', function () {
    skip(this, 'no such device');
  });
  it.skip('has none', () => {});
  describe('suite', () => {
    before(function () {
      skip(this, 'no such machine');
    });
    it('is skipped by its suite', () => {});
  });
});
