import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SupervisorLock } from '../../dist/supervisor/supervisor-lock.js';

const MODULE = join(import.meta.dirname, '../../dist/supervisor/supervisor-lock.js');

describe('SupervisorLock', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lock'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is held by one process and free again when that is killed', async () => {
    const path = join(directory, 'lock');
    const script = `
      const { SupervisorLock } = await import(${JSON.stringify(MODULE)});
      globalThis.held = SupervisorLock.tryAcquire(${JSON.stringify(path)});
      process.stdout.write(held ? 'held' : 'busy');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = await once(child.stdout, 'data');
    assert.equal(String(said), 'held');
    assert.equal(SupervisorLock.tryAcquire(path), undefined);
    child.kill('SIGKILL');
    await once(child, 'close');
    using lock = SupervisorLock.tryAcquire(path);
    assert.ok(lock);
  });
});
