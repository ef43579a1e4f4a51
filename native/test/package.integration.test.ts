import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NATIVE = join(import.meta.dirname, '..');
const COMPILERS = ['cc', 'gcc', 'c++', 'g++', 'clang', 'make', 'python3', 'node-gyp'];

describe('the packed @a3s-box/native', function () {
  this.timeout(240_000);
  let directory: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'packed-native-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  it('is installed in an empty folder without a compiler, and works', () => {
    const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', directory], {
      cwd: NATIVE,
      env: { ...process.env, TMPDIR: directory },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [{ filename, files }] = JSON.parse(packed.slice(packed.indexOf('['))) as [
      { filename: string; files: { path: string; mode: number }[] },
    ];
    const prebuilds = `prebuilds/${process.platform}-${process.arch}`;
    const executables = ['a3s-box-confine', 'a3s-box-krun', 'a3s-box-probe-init', 'a3s-box-share'].map(
      (name) => `${prebuilds}/${name}`,
    );
    for (const path of executables) {
      assert.equal((files.find((file) => file.path === path)?.mode ?? 0) & 0o111, 0o111, path);
    }
    assert.ok(files.some(({ path }) => path === `${prebuilds}/@a3s-box+native.node`));

    const shims = join(directory, 'shims');
    const marker = join(directory, 'something-was-compiled');
    mkdirSync(shims);
    for (const name of COMPILERS) {
      writeFileSync(join(shims, name), `#!/bin/sh\necho "$0" >>${marker}\nexit 1\n`, { mode: 0o755 });
    }
    const folder = join(directory, 'empty');
    mkdirSync(folder);
    writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
    const env = { ...process.env, PATH: `${shims}:${process.env['PATH']}` };
    const options = ['--omit=optional', '--no-audit', '--no-fund', '--prefer-offline', '--foreground-scripts'];
    execFileSync('npm', ['install', ...options, join(directory, filename)], { cwd: folder, env, stdio: 'pipe' });
    assert.ok(!existsSync(marker));
    const script = `
      import { confinePath, krunLauncherPath, probeInitPath, shareLauncherPath, processStartTime, makeFifo } from '@a3s-box/native';
      makeFifo('pipe');
      const executables = [confinePath(), krunLauncherPath(), probeInitPath(), shareLauncherPath()];
      console.log(JSON.stringify([...executables, processStartTime(process.pid)]));`;
    writeFileSync(join(folder, 'use.js'), script);
    const output = execFileSync(process.execPath, ['use.js'], { cwd: folder, encoding: 'utf8' });
    const [confine, launcher, init, share] = JSON.parse(output) as string[];
    const installed = join(folder, 'node_modules/@a3s-box/native', prebuilds);
    assert.deepEqual(
      [confine, launcher, init, share],
      executables.map((path) => join(installed, path.slice(prebuilds.length))),
    );
    assert.ok(existsSync(join(folder, 'pipe')));
    assert.match(spawnSync(launcher ?? '', { encoding: 'utf8' }).stderr, /^usage: a3s-box-krun/);
  });
});
