import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoxClient, BoxRecord } from '@a3s-box/core/client';
import { needs } from '../support/skip.ts';
import { BIN } from './support/box-cli.ts';
import { SdkHome } from './support/sdk-home.ts';

const MIB = 2 ** 20;
const DISK_MIB = 320;
const BALLAST_MIB = 150;

/** A home on a disk of its own that is nearly full. */
describe('a disk that is full', function () {
  this.timeout(240_000);
  let image: string;
  let home: SdkHome;
  let client: BoxClient;
  let ballast: string;

  before(async function () {
    needs(this, process.getuid?.() === 0, 'root');
    const directory = mkdtempSync(join(tmpdir(), 'disk'));
    image = join(directory, 'disk.img');
    writeFileSync(image, '');
    truncateSync(image, DISK_MIB * MIB);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image]);
    // Without templates, which would take up what the tests reckon with.
    home = await SdkHome.create((path) => {
      execFileSync('mount', ['-o', 'loop', image, path]);
      chmodSync(path, 0o700);
    }, false);
    rmSync(join(home.path, 'lost+found'), { recursive: true });
    client = await home.connect();
    ballast = join(home.path, 'ballast');
  });
  after(async () => {
    rmSync(ballast, { force: true });
    await home.end();
    // Lazily: the kernel lets go of the files of an io_uring, which QEMU has, only some time after its process has
    // ended. What stays for longer is seen as a loop device that was left behind.
    execFileSync('umount', ['--lazy', home.path]);
    await home[Symbol.asyncDispose]();
    rmSync(join(image, '..'), { recursive: true });
  });
  const command = (...args: string[]): string =>
    execFileSync(BIN, args, { env: { ...process.env, A3S_BOX_HOME: home.path }, encoding: 'utf8' });
  beforeEach(() =>
    execFileSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=1M', `count=${BALLAST_MIB}`], { stdio: 'ignore' }),
  );
  afterEach(() => rmSync(ballast, { force: true }));

  it('pauses a box that writes to its disk, shows it so, and lets it go on when there is room', async () => {
    const script = `dd if=/dev/zero of=/big bs=1M count=${BALLAST_MIB + 40} 2>/dev/null && sync && wc -c </big`;
    const { id } = await client.runDetached(home.spec(script));
    const paused = await until(client, id, ({ state }) => state === 'paused');
    assert.equal(paused.pausedBecause, 'no-space');
    await assert.rejects(client.exec(id, { command: ['true'] }), { code: 'CONFLICT', message: /disk is full/ });
    assert.match(command('ps', '--format', '{{.State}} {{.Status}}'), /^paused Up .* \(Paused: no space\)\n$/);
    const state = '{{.State.Status}} {{.State.Running}} {{.State.Paused}} {{.State.PausedBecause}}';
    assert.equal(command('inspect', '-f', state, id), 'paused true true no-space\n');
    // Nothing is asked of it from here on: it goes on by itself.
    rmSync(ballast);
    const exit = await client.wait(id);
    assert.deepEqual([exit.known, exit.known && exit.code], [true, 0]);
    let log = '';
    for await (const { data } of client.logs(id)) log += String(data);
    assert.equal(log.trim(), String((BALLAST_MIB + 40) * MIB));
    await client.remove(id);
    await home.assertEmpty();
  });

  it('keeps every line of a box that writes more output than there is room for, over a killed supervisor', async () => {
    const lines = 2_000_000;
    const { id } = await client.runDetached(home.spec(`seq 1 ${lines}`));
    await until(client, id, ({ state }) => state === 'paused');
    await home.killSupervisor(client);
    rmSync(ballast);
    client = await home.connect();
    assert.equal((await client.wait(id)).known, true);
    let bytes = 0;
    let last = '';
    for await (const { data } of client.logs(id)) {
      bytes += data.length;
      last = String(data);
    }
    assert.equal(last, `${lines}\n`);
    assert.equal(
      bytes,
      [...Array(7).keys()].reduce((sum, digits) => sum + (digits + 2) * count(digits, lines), 0),
    );
    await client.remove(id);
    await home.assertEmpty();
  });

  it('starts no box, says why, and leaves nothing of it', async () => {
    const filler = join(home.path, 'filler');
    const fill = ['if=/dev/zero', `of=${filler}`, 'bs=4k'];
    execFileSync('sh', ['-c', `dd ${fill.join(' ')} 2>/dev/null || true`]);
    await assert.rejects(client.runDetached(home.spec('true')), { code: 'DISK_FULL' });
    assert.deepEqual(await client.list({ all: true }), []);
    rmSync(filler);
    const { id } = await client.runDetached(home.spec('exit 3'));
    const exit = await client.wait(id);
    assert.deepEqual([exit.known, exit.known && exit.code], [true, 3]);
    await client.remove(id);
    await home.assertEmpty();
  });

  it('pauses a box that writes to a volume with a size, and lets it be removed', async () => {
    await client.volumes.create({ name: 'disk', sizeBytes: 1000 * MIB });
    const volumes = [{ kind: 'volume', source: 'disk', target: '/v', readOnly: false } as const];
    const { id } = await client.runDetached(home.spec('dd if=/dev/zero of=/v/big bs=1M count=400', { volumes }));
    const paused = await until(client, id, ({ state }) => state === 'paused');
    assert.equal(paused.pausedBecause, 'no-space');
    await client.remove(id, { force: true });
    await client.volumes.remove('disk');
    await home.assertEmpty();
  });
});

/** How many of the numbers up to `last` have `digits + 1` digits. */
function count(digits: number, last: number): number {
  return Math.max(0, Math.min(last, 10 ** (digits + 1) - 1) - 10 ** digits + 1);
}

/** Looks at a box until it is as wanted; nothing tells of a change of state yet. */
async function until(client: BoxClient, id: string, wanted: (box: BoxRecord) => boolean): Promise<BoxRecord> {
  for (;;) {
    const box = await client.inspect(id);
    if (wanted(box)) return box;
    assert.ok(['running', 'paused'].includes(box.state), `it is ${box.state}: ${box.exit?.reason ?? ''}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
