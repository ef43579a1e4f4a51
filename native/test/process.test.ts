import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { processStartTime } from '../dist/index.js';

describe('the start time of a process', () => {
  const asked: number[] = [];
  const ofAddon = (pid: number): string | undefined => {
    asked.push(pid);
    return pid === 7 ? '1700000000.000001' : undefined;
  };
  beforeEach(() => asked.splice(0));

  it('is read from /proc on Linux', function () {
    if (process.platform !== 'linux') return this.skip();
    const fields = readFileSync(`/proc/${process.pid}/stat`, 'latin1').split(') ')[1]?.split(' ');
    assert.equal(processStartTime(process.pid, { platform: 'linux', ofAddon }), fields?.[19]);
    assert.deepEqual(asked, []);
  });

  it('is the addon’s elsewhere, as the system tells it', () => {
    for (const platform of ['darwin', 'win32'] as const) {
      assert.equal(processStartTime(7, { platform, ofAddon }), '1700000000.000001');
      assert.equal(processStartTime(8, { platform, ofAddon }), undefined);
    }
    assert.deepEqual(asked, [7, 8, 7, 8]);
  });
});
