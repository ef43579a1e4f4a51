/** With hardware virtualisation: more commands in a box, files in and out, what has changed, images and snapshots of it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { BoxClient } from '@a3s-box/core/client';
import { archiveManifest, differences, nastyArchive } from './support/archive-manifest.ts';
import { ranIn } from './support/ran.ts';
import { SdkHome } from './support/sdk-home.ts';

const IMAGE_CHANGED = 'life/changed:1';

describe('the life of a box with hardware virtualisation', function () {
  this.timeout(120_000);
  let home: SdkHome;
  let client: BoxClient;
  let box: string;
  let host: string;

  before(async () => {
    home = await SdkHome.create();
    client = await home.connect();
    host = mkdtempSync(join(tmpdir(), 'life-'));
    ({ id: box } = await client.runDetached(home.spec('sleep 3600', { environment: ['A=box'] })));
    assert.equal((await client.inspect(box)).acceleration, 'hardware');
  });
  after(async () => {
    rmSync(host, { recursive: true, force: true });
    await home[Symbol.asyncDispose]();
  });

  it('exec: one more command has its status, its streams and a user of its own', async () => {
    const execId = await client.exec(box, {
      ...{ command: ['sh', '-c', 'echo $A $B $(id -u) $(pwd); echo err >&2; exit 5'], environment: ['B=exec'] },
      ...{ user: 'nobody', workingDirectory: '/tmp' },
    });
    using streams = await client.attach(box, { execId });
    const seen = { stdout: '', stderr: '' };
    for await (const { stream, data } of streams.output) seen[stream] += String(data);
    assert.deepEqual(seen, { stdout: 'box exec 65534 /tmp\n', stderr: 'err\n' });
    const exit = await streams.exited;
    assert.ok(exit.known);
    assert.equal(exit.code, 5);
  });

  it('exec: stdin reaches the command whole', async () => {
    const data = randomBytes(3_000_000);
    const { stdout } = await ranIn(client, box, 'sha256sum', data);
    assert.equal(stdout.split(' ')[0], createHash('sha256').update(data).digest('hex'));
  });

  it('cp: a directory of the host comes back as it went, root’s in between', async () => {
    mkdirSync(join(host, 'src/sub'), { recursive: true });
    writeFileSync(join(host, 'src/a'), 'hello\n', { mode: 0o640 });
    writeFileSync(join(host, 'src/sub/b'), Buffer.alloc(300_000, 'b'));
    assert.equal(await client.files.copyIn(join(host, 'src'), { box, path: '/tmp/new' }), 300_006);
    const { stdout } = await ranIn(client, box, 'cd /tmp/new && stat -c "%a %u:%g" a && cat a && wc -c < sub/b');
    assert.equal(stdout, '640 0:0\nhello\n300000\n');
    await client.files.copyOut({ box, path: '/tmp/new' }, join(host, 'back'));
    assert.equal(readFileSync(join(host, 'back/a'), 'utf8'), 'hello\n');
    assert.equal(statSync(join(host, 'back/a')).mode & 0o7777, 0o640);
    assert.deepEqual(readFileSync(join(host, 'back/sub/b')), Buffer.alloc(300_000, 'b'));
  });

  it('cp: an archive of what is easily lost comes back the same', async () => {
    await client.files.extract({ box, path: '/' }, Readable.from([nastyArchive()]));
    const there = await nastyOf(box);
    // With directories that the archive has no members for.
    const given = [...archiveManifest(nastyArchive())];
    assert.deepEqual(
      given.filter(([name, line]) => there.get(name) !== line).map(([name, line]) => [name, line, there.get(name)]),
      [],
    );
  });

  it('diff: what was added, changed and deleted', async () => {
    const script = 'rm -r /tmp/new; echo more >> /etc/group; echo added > /opt-added; rm /bin/dmesg';
    assert.equal((await ranIn(client, box, script)).code, 0);
    const found = await client.files.diff(box);
    assert.deepEqual(
      found.filter(({ path }) => !/^\/(nasty|tmp)\b/.test(path)).map(({ kind, path }) => `${kind} ${path}`),
      ['modified /bin', 'deleted /bin/dmesg', 'modified /etc', 'modified /etc/group', 'added /opt-added'],
    );
  });

  it('commit: the image’s boxes have the same files', async () => {
    assert.match(await client.files.commit(box, { name: IMAGE_CHANGED }), /^sha256:[0-9a-f]{64}$/);
    const copy = await client.runDetached(home.spec('sleep 3600', { image: IMAGE_CHANGED, user: '0' }));
    assert.equal((await ranIn(client, copy.id, 'cat /opt-added; ls /bin/dmesg')).stdout, 'added\n');
    assert.deepEqual(differences(await nastyOf(box), await nastyOf(copy.id)), []);
    assert.deepEqual(await client.files.diff(copy.id), []);
    await client.remove(copy.id, { force: true });
  });

  it('snapshot: of a box that runs, comes back as another box', async () => {
    const { id, running } = await client.snapshots.create(box, { name: 'moment' });
    assert.equal(running, true);
    await ranIn(client, box, 'echo later > /later');
    const restored = await client.snapshots.restore('moment');
    assert.deepEqual(
      (await client.files.diff(restored.id)).filter(({ path }) => path === '/later' || path === '/opt-added'),
      [{ kind: 'added', path: '/opt-added' }],
    );
    await client.start(restored.id);
    const { stdout } = await ranIn(client, restored.id, 'cat /opt-added; ls /later; cat /proc/1/cmdline');
    assert.match(stdout, /^added\nsh\0-c\0sleep|^added\nsleep/);
    await client.remove(restored.id, { force: true });
    assert.equal(await client.snapshots.remove('moment'), id);
  });

  async function nastyOf(of: string): Promise<Map<string, string>> {
    const pieces = await Array.fromAsync(client.files.archive({ box: of, path: '/nasty' }));
    return archiveManifest(Buffer.concat(pieces));
  }
});
