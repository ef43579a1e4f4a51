import assert from 'node:assert/strict';
import { TemplateCache } from '../../../dist/vm/templates/template-cache.js';

describe('TemplateCache', () => {
  let loads = 0;
  let open = 0;
  let fail = false;
  let cache: TemplateCache;
  const loaded = () => {
    open++;
    return { template: {}, sessionKey: Buffer.alloc(0), [Symbol.dispose]: () => void open-- } as never;
  };
  beforeEach(() => {
    [loads, open, fail] = [0, 0, false];
    cache = new TemplateCache(async () => {
      loads++;
      await Promise.resolve();
      if (fail) throw new TypeError('damaged');
      return loaded();
    });
  });
  afterEach(() => cache[Symbol.dispose]());

  it('reads once for all who ask at the same time, and after each other', async () => {
    const leases = await Promise.all([cache.take('a'), cache.take('a')]);
    leases.push(await cache.take('a'));
    assert.deepEqual([loads, open], [1, 1]);
    for (const lease of leases) lease[Symbol.dispose]();
    assert.equal(open, 1, 'it is kept for a while');
    assert.ok(cache.has('a'));
  });

  it('lets who uses a dropped one go on', async () => {
    const lease = await cache.take('a');
    cache.drop('a');
    assert.ok(!cache.has('a'));
    assert.equal(open, 1);
    lease[Symbol.dispose]();
    lease[Symbol.dispose]();
    await Promise.resolve();
    assert.equal(open, 0);
  });

  it('keeps nothing of what could not be read', async () => {
    fail = true;
    await assert.rejects(cache.take('a'), /damaged/);
    assert.ok(!cache.has('a'));
    fail = false;
    (await cache.take('a'))[Symbol.dispose]();
    assert.equal(loads, 2);
  });

  it('takes over one that was just made', async () => {
    cache.put('a', loaded());
    (await cache.take('a'))[Symbol.dispose]();
    assert.deepEqual([loads, open], [0, 1]);
  });

  it('lets go of all of them at its end', async () => {
    (await cache.take('a'))[Symbol.dispose]();
    cache[Symbol.dispose]();
    await Promise.resolve();
    assert.equal(open, 0);
  });
});
