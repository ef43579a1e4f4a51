import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import type { BoxClient } from '@a3s-box/core/client';
import { BIN } from './support/box-cli.ts';
import { dieAtEachWrite } from './support/each-write.ts';
import { heldImages } from './support/home-files.ts';
import { processGone, SdkHome } from './support/sdk-home.ts';

const COUNTER = 'i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.05; done; exit 9';
const NUMBERS = [...Array(60).keys()];

describe('what is killed', () => {
  let home: SdkHome;
  before(async () => {
    home = await SdkHome.create();
  });
  after(() => home[Symbol.asyncDispose]());
  afterEach(() => home.assertEmpty());

  async function numbers(client: BoxClient, box: string): Promise<number[]> {
    let text = '';
    for await (const { data } of client.logs(box, { follow: true })) text += String(data);
    return text.trimEnd().split('\n').map(Number);
  }

  async function firstLine(client: BoxClient, box: string): Promise<void> {
    for await (const record of client.logs(box, { follow: true })) return assert.ok(record.data.length > 0);
  }

  it('supervisor: the log has every line once, the exit code is right', async () => {
    const first = await home.connect();
    const { id } = await first.runDetached(home.spec(COUNTER));
    await firstLine(first, id);
    await home.killSupervisor(first);
    const second = await home.connect();
    assert.equal((await second.inspect(id)).state, 'running');
    assert.deepEqual(await numbers(second, id), NUMBERS);
    const exit = await second.wait(id);
    assert.ok(exit.known);
    assert.equal(exit.code, 9);
    assert.equal((await second.inspect(id)).state, 'exited');
    await second.remove(id);
  });

  it('supervisor, several times in a row: the same', async () => {
    let client = await home.connect();
    const { id } = await client.runDetached(home.spec(COUNTER));
    for (let round = 0; round < 3; round++) {
      await home.killSupervisor(client);
      client = await home.connect();
    }
    assert.deepEqual(await numbers(client, id), NUMBERS);
    const exit = await client.wait(id);
    assert.deepEqual([exit.known, exit.known && exit.code], [true, 9]);
    await client.remove(id);
  });

  it('VMM: the box is dead, with the reason and without an exit code', async () => {
    const client = await home.connect();
    const { id } = await client.runDetached(home.spec(COUNTER));
    const execId = await client.exec(id, { command: ['sleep', '1000'] });
    const attachment = await client.attach(id, { execId });
    process.kill((await client.inspect(id)).vmmPid!, 'SIGKILL');
    await assert.rejects(Array.fromAsync(attachment.output), {
      code: 'VM_ENDED',
      message: /ended before its exec did: .*SIGKILL/,
    });
    const exit = await client.wait(id);
    assert.equal(exit.known, false);
    assert.match(exit.reason ?? '', /killed|SIGKILL/);
    assert.equal((await client.inspect(id)).state, 'dead');
    await client.remove(id);
  });

  it('supervisor and VMM: the same', async () => {
    const first = await home.connect();
    const { id } = await first.runDetached(home.spec(COUNTER));
    const vmm = (await first.inspect(id)).vmmPid!;
    await home.killSupervisor(first);
    process.kill(vmm, 'SIGKILL');
    await processGone(vmm);
    const second = await home.connect();
    assert.equal((await second.wait(id)).known, false);
    assert.equal((await second.inspect(id)).state, 'dead');
    await second.remove(id);
  });

  it('foreground command: its box goes on; with the VMM too: the box is dead', async () => {
    const client = await home.connect();
    for (const withVmm of [false, true]) {
      const name = withVmm ? 'both' : 'command';
      const env = { ...process.env, A3S_BOX_HOME: home.path };
      const command = spawn(BIN, ['run', '--name', name, '-m', '256m', 'a3s/starter', 'sh', '-c', COUNTER], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(command.stdout, 'data');
      const { vmmPid } = await client.inspect(name);
      command.kill('SIGKILL');
      if (withVmm) process.kill(vmmPid!, 'SIGKILL');
      await once(command, 'exit');
      if (!withVmm) assert.deepEqual(await numbers(client, name), NUMBERS);
      const exit = await client.wait(name);
      assert.equal(exit.known, !withVmm);
      await client.remove(name);
    }
  });

  it('supervisor, at each write of its databases in a detached run: a whole box is there, or none', async function () {
    this.timeout(300_000);
    const whole: string[] = [];
    await home.stopSupervisor(await home.connect());
    const count = await dieAtEachWrite(home, {
      alsoAfter: true,
      act: (client) => client.runDetached(home.spec('sleep 1000')),
      check: async (client, death) => {
        for (const { id, state } of await client.list({ all: true })) {
          assert.equal(state, 'running', death);
          assert.ok((await client.exec(id, { command: ['true'], detached: true })).length > 0);
          await client.remove(id, { force: true });
          whole.push(death);
        }
        await home.assertEmpty();
        assert.deepEqual(heldImages(home.path), [], `after ${death} the image store holds something`);
      },
    });
    assert.ok(count >= 4, `a run takes ${count} writes`);
    assert.ok(whole.includes(`after ${count - 1}`), `whole after: ${whole.join(', ')}`);
  });

  it('supervisor of an older version: a newer client takes its boxes over', async () => {
    const first = await home.connect();
    const { id } = await first.runDetached(home.spec(COUNTER));
    await home.stopSupervisor(first);
    const old = await home.startOlder();
    const env = { ...process.env, A3S_BOX_HOME: home.path };
    const { stdout } = await promisify(execFile)(BIN, ['version'], { env });
    assert.match(stdout, new RegExp(`^Supervisor: .*\\(pid ${old}\\)$`, 'm'));
    const second = await home.connect();
    assert.notEqual(second.supervisor.pid, old);
    await processGone(old);
    assert.deepEqual(await numbers(second, id), NUMBERS);
    assert.equal((await second.wait(id)).known, true);
    await second.remove(id);
  });
});
