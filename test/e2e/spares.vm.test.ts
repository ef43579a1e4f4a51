import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BoxClient } from '@a3s-box/core/client';
import { openProcess } from '@a3s-box/native';
import { sparesIn, vmmOf } from './support/home-files.ts';
import { SdkHome } from './support/sdk-home.ts';

/** Between two looks at the ledger, which tells nobody of a change. */
const LOOK_MS = 20;
const WHO = 'cat /etc/hostname /proc/sys/kernel/random/boot_id; head -c 16 /dev/urandom | md5sum';

describe('machines that are made ahead', () => {
  let home: SdkHome;
  let client: BoxClient;
  before(async () => {
    home = await SdkHome.create();
    client = await home.connect();
  });
  after(() => home[Symbol.asyncDispose]());

  async function run(script: string, change = {}): Promise<{ id: string; code: number; output: string }> {
    const { id } = await client.runDetached(home.spec(script, change));
    const exit = await client.wait(id);
    let output = '';
    for await (const { data } of client.logs(id)) output += String(data);
    await client.remove(id);
    assert.ok(exit.known, exit.reason);
    return { id, code: exit.code, output };
  }

  /** The one that is made after a box. */
  async function nextSpare(): Promise<string> {
    for (;;) {
      const [spare] = sparesIn(home.path);
      if (spare !== undefined) return spare;
      await delay(LOOK_MS);
    }
  }

  it('become the boxes that come, each another machine', async () => {
    await run('true');
    const seen = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const spare = await nextSpare();
      const { id, output } = await run(`${WHO}; date +%s; ls -A / /tmp`);
      assert.equal(id, spare);
      const [hostname = '', boot = '', random = '', time = '', ...files] = output.trimEnd().split('\n');
      assert.equal(hostname, id.slice(0, 12));
      assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 3, `its clock says ${time}`);
      assert.ok(!files.some((name) => name.includes('rehears')), files.join(' '));
      for (const own of [hostname, boot, random]) {
        assert.ok(!seen.has(own), `${own} was seen before`);
        seen.add(own);
      }
    }
    await home.assertEmpty();
  });

  it('have the right time however long they stood still', async () => {
    await nextSpare();
    await delay(3000);
    const { output } = await run('date +%s');
    assert.ok(Math.abs(Number(output) - Date.now() / 1000) < 2, `its clock says ${output}`);
  });

  it('become boxes with options of their containers too', async () => {
    const options = { readOnly: true, init: true, tmpfs: { '/tmp': '' }, sysctls: { 'net.ipv4.ip_forward': '1' } };
    const spare = await nextSpare();
    const script = 'touch /x 2>/dev/null || touch /tmp/x && cat /proc/sys/net/ipv4/ip_forward /proc/1/comm';
    const { id, output } = await run(script, { options });
    assert.deepEqual([id, output], [spare, '1\na3s-box-init\n']);
  });

  it('are not for boxes of another kind', async () => {
    for (const change of [{ memoryBytes: 192 * 2 ** 20 }, { network: 'none' }, { hostname: 'other' }]) {
      const spare = await nextSpare();
      const { id, output } = await run('hostname', change);
      assert.notEqual(id, spare);
      assert.equal(output.trim(), 'hostname' in change ? 'other' : id.slice(0, 12));
    }
  });

  it('that have died are no loss', async () => {
    await run('true');
    const spare = await nextSpare();
    // Its box waits for it, so it is ready after that; this is the next one.
    const vmm = await launched(spare);
    const handle = openProcess(vmm.pid, vmm.startTime);
    assert.ok(handle);
    handle.signal(9);
    handle.close();
    const { id, code } = await run('exit 4');
    assert.deepEqual([id, code], [spare, 4]);
    await home.assertEmpty();
  });

  it('go with an image that is removed, and with the supervisor', async () => {
    await run('true');
    await nextSpare();
    await client.images.tag('a3s/starter', 'a3s/other');
    await client.images.remove('a3s/other');
    assert.deepEqual(sparesIn(home.path), []);
    await run('true');
    await nextSpare();
    await home.stopSupervisor(client);
    assert.deepEqual(sparesIn(home.path), []);
    assert.deepEqual(await readdir(join(home.path, 'boxes')), []);
    client = await home.connect();
  });

  it('are freed by the next supervisor when theirs was killed', async () => {
    await run('true');
    const spare = await nextSpare();
    await launched(spare);
    await home.killSupervisor(client);
    client = await home.connect();
    assert.deepEqual(sparesIn(home.path), []);
    await home.assertEmpty();
  });

  /** Waits until the ledger has the process. */
  async function launched(spare: string): Promise<{ pid: number; startTime: string }> {
    for (;;) {
      const process = vmmOf(home.path, spare);
      if (process) return process;
      await delay(LOOK_MS);
    }
  }
});
