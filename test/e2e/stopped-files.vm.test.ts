/** The machines in which the files of boxes are reached that do not run: what they leave, and what they keep from whom. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BoxClient } from '@a3s-box/core/client';
import { vmmsOfNoBox } from './support/home-files.ts';
import { processGone, SdkHome } from './support/sdk-home.ts';

describe('the files of a box that does not run', () => {
  let home: SdkHome;
  let client: BoxClient;
  let host: string;

  before(async () => {
    home = await SdkHome.create();
    client = await home.connect();
    host = mkdtempSync(join(tmpdir(), 'stopped-'));
    writeFileSync(join(host, 'given'), 'given\n');
  });
  after(async () => {
    await home[Symbol.asyncDispose]();
    rmSync(host, { recursive: true, force: true });
  });

  it('can be put there before its first start', async () => {
    const { id } = await client.create(home.spec('cat /given', { name: 'early' }));
    await client.files.copyIn(join(host, 'given'), { box: id, path: '/' });
    assert.deepEqual(await client.files.diff(id), [{ kind: 'added', path: '/given' }]);
    await client.start(id);
    const exit = await client.wait(id);
    assert.equal(exit.known && exit.code, 0);
    const lines = await Array.fromAsync(client.logs(id));
    assert.equal(Buffer.concat(lines.map(({ data }) => data)).toString(), 'given\n');
  });

  it('are the same in several copies at once', async () => {
    const copies = Array.from({ length: 4 }, (_, index) =>
      client.files.copyOut({ box: 'early', path: '/given' }, join(host, `copy-${index}`)),
    );
    await Promise.all(copies);
    for (const index of copies.keys()) assert.equal(readFileSync(join(host, `copy-${index}`), 'utf8'), 'given\n');
  });

  it('are reached again at once when the machine for that was killed', async () => {
    await client.files.stat({ box: 'early', path: '/given' });
    const before = vmmsOfNoBox(home.path);
    assert.equal(before.length, 1);
    process.kill(before[0]!, 'SIGKILL');
    await processGone(before[0]!);
    // A call that comes before the supervisor has seen it end may fail; those after it do not.
    const size = async () => (await client.files.stat({ box: 'early', path: '/given' })).size;
    for (let calls = 0; calls < 10 && (await size().catch(() => 0)) === 0; calls++) await delay(100);
    assert.equal(await size(), 6);
    assert.deepEqual(
      vmmsOfNoBox(home.path).filter((pid) => before.includes(pid)),
      [],
    );
  });

  it('are found by the next supervisor, and nothing of the machine that the last one used', async () => {
    await client.files.copyIn(join(host, 'given'), { box: 'early', path: '/kept' });
    assert.equal((await home.vmms()).length, 1);
    await home.killSupervisor(client);
    client = await home.connect();
    assert.deepEqual(await home.vmms(), []);
    // What was copied is there, though the machine that it was copied by was killed.
    await client.files.copyOut({ box: 'early', path: '/kept' }, join(host, 'kept'));
    assert.equal(readFileSync(join(host, 'kept'), 'utf8'), 'given\n');
    await client.files.copyIn(join(host, 'given'), { box: 'early', path: '/again' });
    assert.equal((await client.files.stat({ box: 'early', path: '/again' })).size, 6);
  });

  it('go with it', async () => {
    await client.files.stat({ box: 'early', path: '/given' });
    await client.remove('early');
    await home.assertEmpty();
  });
});
