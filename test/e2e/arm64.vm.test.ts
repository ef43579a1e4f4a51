import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needs, skip } from '../support/skip.ts';
import { arm64Parts } from './support/arm64-guest.ts';
import { BoxCli, type Outcome } from './support/box-cli.ts';

const STARTER = join(import.meta.dirname, '../../scripts/starter.ts');
const IMAGE = 'a3s/starter:arm64';
const PLATFORM = ['--platform', 'linux/arm64'];
const MINUTE = 60_000;

describe('an arm64 guest on an x86-64 host', function () {
  this.timeout(3 * MINUTE);
  let cli: BoxCli;
  let modules: string;
  before(async function () {
    this.timeout(5 * MINUTE);
    if (process.arch !== 'x64') skip(this, 'on this processor there are no foreign arm64 guests');
    needs(this, existsSync('/usr/bin/qemu-system-aarch64'), 'qemu-system-arm');
    needs(this, existsSync('/usr/bin/mmdebstrap'), 'mmdebstrap');
    const parts = await arm64Parts();
    modules = parts.modules;
    cli = await BoxCli.create();
    const env = { ...process.env, A3S_BOX_HOME: cli.home };
    await promisify(execFile)(process.execPath, [STARTER, '--arm64', parts.busybox], { env });
  });
  after(() => cli?.[Symbol.asyncDispose]());

  const run = (args: readonly string[], stdin?: string): Promise<Outcome> =>
    cli.run(args, { env: { NODE_PATH: modules }, ...(stdin !== undefined && { stdin }) });

  it('is booted and runs the image [run --platform]', async () => {
    const script = 'uname -m; cat; ip -4 -o addr show dev eth0 | wc -l; exit 7';
    const { code, stdout, stderr } = await run(
      ['run', '--rm', '-i', '--cpus', '2', ...PLATFORM, IMAGE, 'sh', '-c', `nproc; ${script}`],
      'whole\n',
    );
    assert.equal(stdout.toString(), '2\naarch64\nwhole\n1\n', stderr);
    assert.equal(code, 7, stderr);
  });

  it('runs on by itself, takes further commands, and is told from others by what inspect says', async () => {
    const script = 'trap "exit 9" TERM; while :; do sleep 1; done';
    const started = await run(['run', '-d', '--name', 'arm', ...PLATFORM, IMAGE, 'sh', '-c', script]);
    assert.equal(started.code, 0, started.stderr);
    const exec = await run(['exec', 'arm', 'sh', '-c', 'uname -m; exit 3']);
    assert.deepEqual([exec.stdout.toString(), exec.code], ['aarch64\n', 3], exec.stderr);
    const [box] = JSON.parse((await run(['inspect', 'arm'])).stdout.toString()) as readonly Record<string, unknown>[];
    const { Backend, Acceleration, Cloned, Platform } = box ?? {};
    assert.deepEqual([Backend, Acceleration, Cloned, Platform], ['qemu', 'emulation', false, 'linux/arm64']);
    assert.equal((await run(['stop', 'arm'])).code, 0);
    assert.equal((await run(['wait', 'arm'])).stdout.toString(), '9\n');
  });

  it('is not made unasked', async () => {
    const { code, stderr } = await run(['run', '--rm', IMAGE, 'true']);
    assert.equal(code, 125);
    assert.match(stderr, /image a3s\/starter:arm64 is for linux\/arm64, and this host runs linux\/amd64/);
    assert.match(stderr, /--platform linux\/arm64/);
  });

  it('is not made from an image for another platform', async () => {
    const { code, stderr } = await run(['run', '--rm', '--pull', 'never', ...PLATFORM, 'a3s/starter', 'true']);
    assert.equal(code, 125);
    assert.match(stderr, /image a3s\/starter is for linux\/amd64, not for linux\/arm64/);
    assert.match(stderr, /a3s-box pull --platform linux\/arm64 a3s\/starter/);
  });

  it('is not made by a backend that has none', async () => {
    const { code, stderr } = await run(['run', '--rm', '--backend', 'libkrun-kvm', ...PLATFORM, IMAGE, 'true']);
    assert.equal(code, 125);
    assert.match(stderr, /backend "libkrun-kvm" cannot be used here: it runs no arm64 guests/);
  });
});
