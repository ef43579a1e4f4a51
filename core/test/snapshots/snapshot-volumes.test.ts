import assert from 'node:assert/strict';
import { restoredMounts } from '../../dist/snapshots/snapshot-volumes.js';

describe('the mounts of a snapshot', () => {
  const exists = (name: string): boolean => name === 'there';

  it('are the same binds and volumes with names, and new ones in place of those made for the box', () => {
    const bind = { kind: 'bind', source: '/srv', target: '/srv', readOnly: true } as const;
    const named = { kind: 'volume', source: 'there', target: '/data', readOnly: false } as const;
    const own = { kind: 'volume', source: 'a'.repeat(64), target: '/own', readOnly: false, anonymous: true } as const;
    const { anonymous: _, ...rest } = own;
    assert.deepEqual(restoredMounts([bind, named, own], exists), [bind, named, { ...rest, source: '' }]);
  });

  it('are refused when a volume with a name is gone', () => {
    const gone = { kind: 'volume', source: 'gone', target: '/data', readOnly: false } as const;
    assert.throws(() => restoredMounts([gone], exists), { code: 'NOT_FOUND', message: /volume gone of the snapshot/ });
  });
});
