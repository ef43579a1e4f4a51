import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { skip } from '../../../test/support/skip.ts';
import { isRunning, thisProcess } from '../dist/process-owner.js';

describe('a process that holds something of the store', () => {
  it('runs while it does, under its own birth', () => {
    const me = thisProcess();
    assert.equal(isRunning(me), true);
    assert.equal(isRunning({ ...me, born: `${me.born}1` }), false);
  });

  it('runs no more when it has ended and nobody has asked how', async function () {
    if (process.platform !== 'linux') skip(this, 'Linux shows such processes');
    // The shell becomes a program that knows nothing of the child, which ends when it has.
    const script = 'exec 3<&0; sh -c "read line <&3" & echo $!; exec sleep 60';
    const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    const exit = once(parent, 'exit');
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(line.toString());
      await until(() => read(parent.pid, 'comm').trim() === 'sleep');
      const stat = (): string[] => read(pid, 'stat').split(') ')[1]?.split(' ') ?? [];
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
      const owner = { pid, born: `${boot}:${stat()[19]}` };
      assert.equal(isRunning(owner), true);
      parent.stdin.end();
      await until(() => stat()[0] === 'Z');
      assert.equal(isRunning(owner), false);
    } finally {
      parent.kill();
      await exit;
    }
  });
});

function read(pid: number | undefined, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, 'latin1');
}

/** Nobody tells of it, so it is asked for. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
