/** Volumes of boxes that do not run: what cp reaches, what other commands leave out, what snapshots make of them. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveManifest } from './support/archive-manifest.ts';
import { BoxCli } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';
interface Mount {
  readonly Type: string;
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
}

describe('volumes of a box that does not run', () => {
  let cli: BoxCli;
  let host: string;
  const path = (name: string): string => join(host, name);

  async function ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args);
    assert.equal(code, 0, stderr);
    return stdout.toString();
  }
  async function mountsOf(...command: string[]): Promise<readonly Mount[]> {
    const [{ Mounts }] = JSON.parse(await ok(...command)) as [{ readonly Mounts: readonly Mount[] }];
    return Mounts;
  }

  before(async () => {
    cli = await BoxCli.create();
    host = mkdtempSync(join(tmpdir(), 'stopped-'));
    for (const name of ['rw', 'ro']) mkdirSync(path(name));
    for (const name of ['ro/file', 'single', 'given']) writeFileSync(path(name), `${name}\n`);
    await ok('volume', 'create', '--opt', 'size=16m', 'disk');
    const mounts = ['-v', `${path('rw')}:/rw`, '-v', `${path('ro')}:/ro:ro`, '-v', `${path('single')}:/rw/single`];
    const volumes = ['-v', 'named:/bin', '-v', 'disk:/disk', '-v', '/own'];
    const script = 'cat /rw/given /bin/given /disk/given /own/given';
    await ok('create', '--name', 'box', ...mounts, ...volumes, IMAGE, 'sh', '-c', script);
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    rmSync(host, { recursive: true });
  });

  it('are where cp puts files, filled from the image before', async () => {
    for (const place of ['/rw', '/bin/', '/disk/given', '/own']) await ok('cp', path('given'), `box:${place}`);
    assert.equal(readFileSync(path('rw/given'), 'utf8'), 'given\n');
    const mountpoint = (await ok('volume', 'inspect', '-f', '{{.Mountpoint}}', 'named')).trim();
    const filled = readdirSync(mountpoint);
    assert.ok(filled.includes('given') && filled.includes('busybox'), filled.join(' '));
  });

  it('are where cp finds files, also within one another', async () => {
    writeFileSync(path('rw/later'), 'later\n');
    await ok('cp', 'box:/rw', path('copy'));
    assert.deepEqual(readdirSync(path('copy')).sort(), ['given', 'later', 'single']);
    assert.equal(readFileSync(path('copy/single'), 'utf8'), 'single\n');
    await ok('cp', 'box:/ro/file', path('out'));
    assert.equal(readFileSync(path('out'), 'utf8'), 'ro/file\n');
  });

  it('are not written to where they are read-only', async () => {
    const { code, stderr } = await cli.run(['cp', path('given'), 'box:/ro/']);
    assert.notEqual(code, 0);
    assert.match(stderr, /read-only/);
    assert.deepEqual(readdirSync(path('ro')), ['file']);
  });

  it('have nothing below their mount points, and are in no difference and no archive', async () => {
    const { stdout } = await cli.run(['export', 'box']);
    const names = [...archiveManifest(stdout).keys()];
    assert.ok(names.some((name) => /(^|\/)bin\/busybox$/.test(name)));
    assert.deepEqual(
      names.filter((name) => /given|later|(rw|ro|disk|own)\/./.test(name) && !/rw\/single$/.test(name)),
      [],
    );
    assert.doesNotMatch(await ok('diff', 'box'), /given|later/);
  });

  it('are given up to a box that runs, and have what it wrote', async () => {
    await ok('run', '-d', '--name', 'other', '-v', 'disk:/d', IMAGE, 'sh', '-c', 'cat /d/given && sleep 1000');
    const { code, stderr } = await cli.run(['cp', 'box:/disk/given', path('x')]);
    assert.notEqual(code, 0);
    assert.match(stderr, /volume disk is in use by box/);
    assert.ok(!existsSync(path('x')));
    await ok('rm', '-f', 'other');
  });

  it('have what was copied when the box starts', async () => {
    assert.equal(await ok('start', '-a', 'box'), 'given\n'.repeat(4));
  });

  it('are named by a snapshot, which does not hold them [snapshot inspect]', async () => {
    await ok('snapshot', 'create', '--name', 'before', 'box');
    const before = await mountsOf('snapshot', 'inspect', 'before');
    assert.deepEqual(
      before.map(({ Type, Destination }) => `${Type} ${Destination}`),
      ['bind /rw', 'bind /ro', 'bind /rw/single', 'volume /bin', 'volume /disk', 'volume /own'],
    );
    const mountpoint = await ok('volume', 'inspect', '-f', '{{.Mountpoint}}', 'disk');
    assert.equal(before[4]?.Source, mountpoint.trim());
    await ok('snapshot', 'restore', '--name', 'heir', 'before');
    const after = await mountsOf('inspect', 'heir');
    assert.deepEqual(after.slice(0, 5), before.slice(0, 5));
    assert.deepEqual([after[5]?.Destination, after[5]?.Name === before[5]?.Name], ['/own', false]);
    for (const box of ['heir', 'box']) await ok('rm', '-v', box);
    await ok('volume', 'rm', 'disk');
    const { code, stderr } = await cli.run(['snapshot', 'restore', 'before']);
    assert.notEqual(code, 0);
    assert.match(stderr, /volume disk of the snapshot is not there any more/);
    assert.equal(await ok('ps', '-aq'), '');
  });
});
