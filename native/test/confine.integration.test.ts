import assert from 'node:assert/strict';
import { spawn, type StdioOptions } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { confinePath } from '../dist/index.js';
import { compile } from './compile.ts';

const UID = 0x7800fff0;
const AS_ROOT = process.getuid?.() === 0;

interface Outcome {
  readonly output: string;
  /** The status descriptor's line; empty when the program ran. */
  readonly status: string;
  readonly code: number | null;
}

describe('a3s-box-confine', function () {
  this.timeout(20_000);
  let directory: string;
  let launcher: string;
  let probe: string;
  let secret: string;
  let granted: string;

  before(() => {
    // Not in the run's own directory: other users must reach it.
    directory = mkdtempSync('/tmp/confine-');
    chmodSync(directory, 0o755);
    // An ordinary user runs a copy: the checkout may lie where only its owner can go.
    launcher = join(directory, 'a3s-box-confine');
    copyFileSync(confinePath() ?? '', launcher);
    probe = compile('confined-probe', directory);
    compile('no-landlock', directory);
    secret = join(directory, 'secret');
    writeFileSync(secret, 'for everybody but the confined', { mode: 0o666 });
    chmodSync(secret, 0o666);
    mkdirSync(join(directory, 'granted'));
    granted = join(directory, 'granted', 'file');
    writeFileSync(granted, 'readable', { mode: 0o666 });
    chmodSync(granted, 0o666);
    copyFileSync('/bin/true', join(directory, 'true'));
  });
  after(() => rmSync(directory, { recursive: true }));

  const identity = (): string[] =>
    AS_ROOT ? ['--uid', String(UID), '--gid', String(UID), '--exclusive', '--threads', '8'] : [];
  const paths = (): string[] => [
    secret,
    granted,
    join(directory, 'true'),
    '/etc/passwd',
    '/dev/null',
    '/proc/1/environ',
  ];

  async function run(
    options: readonly string[],
    wrapper: readonly string[] = [],
    extra: readonly number[] = [],
  ): Promise<Outcome> {
    const program = [probe, String(process.pid), join(directory, 'socket'), ...paths()];
    const command = [...wrapper, launcher, '--keep', '4', ...options, '--', ...program];
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', 'pipe', ...extra];
    const child = spawn(command[0] ?? '', command.slice(1), { stdio, env: { SECRET: 'of the host' } });
    const read = async (stream: Readable): Promise<string> => (await stream.toArray()).join('');
    const [output, status] = await Promise.all([
      read(child.stderr as Readable),
      read(child.stdio[3] as Readable),
      once(child, 'close'),
    ]);
    return { output, status, code: child.exitCode };
  }

  const usual = (): string[] => [
    ...['--open-files', '64', '--file-bytes', '1048576', '--deny-sockets', '--env', 'LC_ALL=C'],
    ...['--read', join(directory, 'granted'), '--read', '/proc/self/status', '--execute', probe],
  ];

  /** What holds for root's children and an ordinary user's alike. */
  function assertConfined({ output, status, code }: Outcome): void {
    assert.equal(status, '');
    assert.equal(code, 0, output);
    const has = (line: string): void =>
      assert.ok(output.split('\n').includes(line), `no line "${line}" in:\n${output}`);
    has('descriptors=0,1,2,');
    has('session=1');
    has('nnp=1 seccomp=2');
    has('limit core=0');
    has('limit nofile=64');
    has('limit fsize=1048576');
    has('env LC_ALL=C');
    assert.ok(!output.includes('SECRET'), 'the environment came through');
    has(`read ${granted}=ok`);
    has(`write ${granted}=EACCES`);
    for (const path of paths().filter((path) => path !== granted)) {
      has(`read ${path}=EACCES`);
      has(`write ${path}=EACCES`);
    }
    has(`execute ${join(directory, 'true')}=EACCES`);
    for (const call of ['socket unix', 'socket inet', 'connect', 'bind', 'io_uring', 'mount', 'unshare']) {
      has(`${call}=EPERM`);
    }
    has('ptrace parent=EPERM');
    has('mkdir=EACCES');
    assert.match(output, /setuid 0=EPERM/);
  }

  it('lets a program that root starts open nothing but its grants', async function () {
    if (!AS_ROOT) this.skip();
    const descriptor = openSync(secret, 'r');
    const outcome = await run([...identity(), ...usual()], [], [descriptor]);
    closeSync(descriptor);
    assertConfined(outcome);
    assert.match(outcome.output, new RegExp(`uid=${UID},${UID} gid=${UID},${UID} groups=0`));
    assert.match(outcome.output, /signal parent=EPERM/);
  });

  it('lets a program that an ordinary user starts open nothing but its grants', async function () {
    const user = AS_ROOT
      ? ['/usr/bin/setpriv', '--reuid=12345', '--regid=12345', '--clear-groups', '--inh-caps=-all']
      : [];
    const outcome = await run(usual(), user);
    assertConfined(outcome);
    if (AS_ROOT) assert.match(outcome.output, /uid=12345,12345/);
  });

  it('starts nothing on a kernel without Landlock', async () => {
    const { output, status, code } = await run([...identity(), ...usual()], [join(directory, 'no-landlock')]);
    assert.match(status, /^landlock-unavailable 38 /);
    assert.equal(output, '');
    assert.equal(code, 125);
  });

  it('starts nothing as root without another identity', async function () {
    if (!AS_ROOT) this.skip();
    const { output, status } = await run(usual());
    assert.match(status, /^identity 1 /);
    assert.equal(output, '');
    assert.match((await run(['--uid', '0', '--gid', '0', ...usual()])).status, /^options 22 /);
  });

  it('starts nothing under a user id that is in use', async function () {
    if (!AS_ROOT) this.skip();
    const other = spawn('/usr/bin/setpriv', [`--reuid=${UID}`, '--clear-groups', '/bin/sleep', '60'], {
      stdio: 'ignore',
    });
    try {
      // Until it has switched the id is free; a launcher that comes first is right to start.
      while (!(await hasUid(other.pid ?? 0, UID)));
      const { output, status } = await run([...identity(), ...usual()]);
      assert.match(status, /^uid-in-use 11 /);
      assert.equal(output, '');
    } finally {
      other.kill('SIGKILL');
      await once(other, 'close');
    }
  });

  it('starts at most one of many under the same id', async function () {
    if (!AS_ROOT) this.skip();
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => run([...identity(), ...usual()])));
    for (const { status } of outcomes) assert.match(status, /^(uid-in-use 11 .*\n)?$/);
  });

  const wrong: Readonly<Record<string, [() => string[], RegExp]>> = {
    'an option that it does not know': [() => ['--allow-everything'], /^options /],
    'a grant that is not there': [() => ['--read', '/nonexistent'], /^landlock 2 \/nonexistent/],
    'a relative grant': [() => ['--read', 'relative'], /^options /],
    'a number that is none': [() => ['--open-files', '12x'], /^options /],
    'a variable without a value': [() => ['--env', 'NAME'], /^options /],
  };
  for (const [what, [options, expected]] of Object.entries(wrong)) {
    it(`starts nothing with ${what}`, async () => {
      const { output, status, code } = await run([...identity(), ...usual(), ...options()]);
      assert.match(status, expected);
      assert.equal(output, '');
      assert.equal(code, 125);
    });
  }

  it('says which program cannot be executed', async () => {
    const withoutGrant = usual().filter(
      (option, index, all) => option !== '--execute' && all[index - 1] !== '--execute',
    );
    assert.match((await run([...identity(), ...withoutGrant])).status, /^exec 13 /);
  });
});

async function hasUid(pid: number, uid: number): Promise<boolean> {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${pid}/status`, 'latin1');
  return new RegExp(`^Uid:\\s+${uid}\\s`, 'm').test(status);
}
