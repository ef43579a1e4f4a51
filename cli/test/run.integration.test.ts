import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliHome } from './support/cli.ts';

describe('a3s-box run', function () {
  this.timeout(30_000);
  let cli: CliHome;
  beforeEach(() => (cli = new CliHome()));
  afterEach(() => cli.close());

  it("prints the workload's output, streams apart, and ends with its exit status", async () => {
    const outcome = await cli.run(['run', '--rm', 'IMG', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.deepEqual(outcome, { status: 7, stdout: 'out\n', stderr: 'err\n' });
    assert.equal(cli.spec['autoRemove'], true);
  });

  it('hands over what was asked for', async () => {
    writeFileSync(join(cli.parent, 'vars'), '# comment\nF=file\nE=file\n');
    const { child, outcome } = cli.start(
      // prettier-ignore
      ['run', '-i', '--name', 'web', '-eE=1', '-e', 'TAKEN', '-e', 'GONE', '--env-file=vars', '-w', '/w', '-u', 'me:us', '--entrypoint', 'env',
        '--hostname=h', '--cpus=1.5', '-m512m', '--timeout', '90', '--backend=qemu', '--platform=linux/amd64', '-l', 'a=b', '--stop-signal=INT',
        '-p', '8080:80', '--publish=[::1]::53/udp', '--net', 'none', 'IMG', '-u', 'X'],
      { TAKEN: 'over' },
    );
    child.stdin.end();
    assert.equal((await outcome).status, 0);
    assert.deepEqual(cli.spec, {
      name: 'web',
      image: 'IMG',
      command: ['-u', 'X'],
      entrypoint: ['env'],
      entrypointSet: true,
      environment: ['F=file', 'E=file', 'E=1', 'TAKEN=over', 'GONE'],
      workingDirectory: '/w',
      user: 'me:us',
      hostname: 'h',
      terminal: false,
      stdinOpen: true,
      nanoCpus: 1_500_000_000,
      memoryBytes: 536_870_912,
      autoRemove: false,
      timeoutMs: 90_000,
      backend: 'qemu',
      labels: { a: 'b' },
      stopSignal: 'INT',
      network: 'none',
      platform: 'linux/amd64',
      logDriver: '',
      logOptions: {},
      stdinKept: false,
      volumes: [],
      volumesFrom: [],
      storageBytes: 0,
      ports: [
        { hostAddress: '0.0.0.0', hostPort: 8080, guestPort: 80, protocol: 'tcp' },
        { hostAddress: '::1', hostPort: 0, guestPort: 53, protocol: 'udp' },
      ],
    });
  });

  it("takes the image's entrypoint away with an empty one", async () => {
    await cli.run(['run', '--entrypoint', '', 'IMG', 'true']);
    assert.deepEqual([cli.spec['entrypoint'], cli.spec['entrypointSet']], [[], true]);
  });

  const workloads = [
    ['echo', '-n', '--rm'],
    ['env', '-u', 'X', 'true'],
    ['sh', '-c', 'echo "$@"', '--', '-la', '/'],
  ];
  for (const workload of workloads) {
    it(`leaves options of the workload alone: ${workload.join(' ')}`, async () => {
      for (const before of [[], ['--'], ['-e', 'A=1'], ['-e', 'A=1', '--']]) {
        assert.equal((await cli.run(['run', ...before, 'IMG', ...workload])).status, 0);
        assert.deepEqual(cli.spec['command'], workload);
      }
    });
  }

  it('passes stdin on with -i, and not without', async () => {
    assert.equal((await cli.run(['run', '-i', 'IMG', 'cat'], 'hi\n')).stdout, 'hi\n');
    assert.equal((await cli.run(['run', 'IMG', 'cat'], 'hi\n')).stdout, '');
  });

  it('ends when the workload does, though stdin stays open', async () => {
    const { child, outcome } = cli.start(['run', '-i', 'IMG', 'sh', '-c', 'read x; exit 3']);
    child.stdin.write('x\n');
    assert.equal((await outcome).status, 3);
  });

  it('carries 100 MB in and out whole', async () => {
    const data = randomBytes(100 * 1024 * 1024);
    const { child, outcome } = cli.start(['run', '-i', 'IMG', 'cat']);
    const hash = createHash('sha256');
    child.stdout.removeAllListeners('data').on('data', (piece: Buffer) => hash.update(piece));
    child.stdin.end(data);
    assert.equal((await outcome).status, 0);
    assert.equal(hash.digest('hex'), createHash('sha256').update(data).digest('hex'));
  });

  it('passes signals on, also one that the workload handles', async () => {
    for (const [signal, status] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGUSR1', 138],
      ['SIGHUP', 129],
    ] as const) {
      const { child, outcome, printed } = cli.start(['run', 'IMG', 'sh', '-c', 'echo up; exec sleep 60']);
      await printed('up');
      child.kill(signal);
      assert.equal((await outcome).status, status);
    }
    const handled = cli.start([
      'run',
      'IMG',
      'sh',
      '-c',
      'trap "echo caught; exit 4" TERM; echo up; while :; do sleep 0.1; done',
    ]);
    await handled.printed('up');
    handled.child.kill('SIGTERM');
    assert.deepEqual(await handled.outcome, { status: 4, stdout: 'up\ncaught\n', stderr: '' });
  });

  it('leaves a workload that minds no SIGINT at the third', async () => {
    const { child, outcome, printed } = cli.start(['run', 'IMG', 'sh', '-c', 'trap "" INT; echo up; sleep 60']);
    await printed('up');
    child.kill('SIGINT');
    await cli.requested('signal', 1);
    child.kill('SIGINT');
    await cli.requested('signal', 2);
    child.kill('SIGINT');
    const { status, stderr } = await outcome;
    assert.equal(status, 130);
    assert.match(stderr, /^a3s-box: the workload goes on after 3 signals; this command leaves it\n$/);
    await cli.requested('runCancelled');
    assert.match((await cli.run(['ps'])).stdout, / Up /);
  });

  it('leaves the box running when it is killed itself', async () => {
    const { child, outcome, printed } = cli.start(['run', '--name', 'web', 'IMG', 'sh', '-c', 'echo up; sleep 60']);
    await printed('up');
    child.kill('SIGKILL');
    assert.equal((await outcome).status, 'SIGKILL');
    await cli.requested('runCancelled');
    assert.equal((await cli.run(['ps', '--format', '{{.Names}} {{.State}}'])).stdout, 'web running\n');
  });

  it('ends at once by a signal while the supervisor starts', async () => {
    const { child, outcome } = cli.start(['run', 'IMG', 'true'], { FAKE_SUPERVISOR: 'mute' });
    await cli.started();
    child.kill('SIGINT');
    assert.deepEqual(await outcome, { status: 130, stdout: '', stderr: '' });
  });

  it('ends quietly when nobody reads its output', async () => {
    const { child, outcome, printed } = cli.start(['run', 'IMG', 'yes']);
    await printed('y\n');
    child.stdout.destroy();
    const { status, stderr } = await outcome;
    assert.deepEqual([status, stderr], [141, '']);
    await cli.requested('runCancelled');
  });

  it('says what became of a workload out of memory or time only where the status does not', async () => {
    assert.equal((await cli.run(['run', 'IMG', 'sh', '-c', 'kill -9 $$'])).status, 137);
  });

  it('ends with 127 for a command that is not there and 126 for one that cannot be executed', async () => {
    const missing = await cli.run(['run', 'IMG', '/no/such/command']);
    assert.equal(missing.status, 127);
    assert.match(missing.stderr, /^a3s-box: .*ENOENT/);
    assert.equal((await cli.run(['run', 'IMG', '/etc/passwd'])).status, 126);
  });

  it('prints the message and the hint of an error, and ends with 125', async () => {
    const { status, stderr, stdout } = await cli.run(['run', '--pull', 'never', 'missing', 'true']);
    assert.deepEqual([status, stdout], [125, '']);
    assert.equal(stderr, 'a3s-box: image "missing" is not here\na3s-box: hint: pull it\n');
  });

  it('prints a stack only when it is asked to', async () => {
    const { child, outcome } = cli.start(['run', '--pull', 'never', 'missing', 'true'], { A3S_BOX_DEBUG: '1' });
    child.stdin.end();
    assert.match((await outcome).stderr, /\n {4}at /);
  });

  it('refuses before anything is started or made', async () => {
    for (const args of [
      ['-v', '/a:/b:frob', 'IMG'],
      ['--foo', 'IMG'],
      [],
      ['-m', 'x', 'IMG'],
      ['--env-file', 'none', 'IMG'],
      ['--trace', '/no/dir/f', 'IMG'],
      ['-p', '80-90:80', 'IMG'],
      ['--network', 'a', '--network', 'b', 'IMG'],
      ['--network', 'host', 'IMG'],
    ]) {
      const { status, stderr } = await cli.run(['run', ...args]);
      assert.equal(status, 125, stderr);
      assert.match(stderr, /^a3s-box: /);
    }
    assert.equal(existsSync(cli.home), false);
  });

  it('refuses a terminal for what is none, as Docker does', async () => {
    const { status, stderr } = await cli.run(['run', '-it', 'IMG', 'sh'], '');
    assert.equal(status, 1);
    assert.match(stderr, /^a3s-box: the input device is not a TTY\n/);
    assert.equal(existsSync(cli.home), false);
  });

  it('shows notices on stderr', async () => {
    const { child, outcome } = cli.start(['run', 'IMG', 'true'], { FAKE_SUPERVISOR: 'notices' });
    child.stdin.end();
    assert.equal((await outcome).stderr, 'a3s-box: no hardware virtualisation: software emulation is used\n');
  });

  it('writes a Chrome trace', async () => {
    const file = join(cli.parent, 'trace.json');
    const outcome = await cli.run(['run', '--rm', '--trace', file, 'IMG', 'sh', '-c', 'exit 5']);
    assert.deepEqual(outcome, { status: 5, stdout: '', stderr: '' });
    const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as {
      traceEvents: { ph: string; name: string; cat: string; ts: number; dur: number }[];
    };
    const spans = traceEvents.filter(({ ph }) => ph === 'X');
    const names = spans.map(({ cat, name }) => `${cat}: ${name}`);
    assert.deepEqual(names, [
      'cli: start',
      'cli: load',
      'cli: connect',
      'cli: create',
      'cli: start',
      'cli: run',
      'kernel: boot',
      'workload: workload',
    ]);
    for (const { ts, dur } of spans) assert.ok(ts >= 0 && dur >= 0);
  });

  it('prints the id with -d and leaves the box to itself', async () => {
    const { status, stdout, stderr } = await cli.run(['run', '-d', '--rm', '--name', 'web', 'IMG', 'sleep', '60']);
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^[0-9a-f]{64}\n$/);
    assert.equal(cli.requests('run')[0]?.['detached'], true);
    assert.equal((await cli.run(['ps', '-q', '--no-trunc'])).stdout, stdout);
  });

  it('takes -it with -d without a terminal, as Docker does', async () => {
    assert.equal((await cli.run(['run', '-dit', 'IMG', 'sh'])).status, 0);
    assert.deepEqual([cli.spec['terminal'], cli.spec['stdinOpen']], [true, true]);
  });

  it('traces the start of a detached box', async () => {
    const file = join(cli.parent, 'trace.json');
    assert.equal((await cli.run(['run', '-d', '--trace', file, 'IMG', 'sleep', '60'])).status, 0);
    assert.match(readFileSync(file, 'utf8'), /"boot"/);
  });

  it('prints no id of a detached box that does not start', async () => {
    const { status, stdout } = await cli.run(['run', '-d', 'IMG', '/no/such/command']);
    assert.deepEqual([status, stdout], [127, '']);
  });

  it('writes the trace of a run that failed, too', async () => {
    const file = join(cli.parent, 'trace.json');
    assert.equal((await cli.run(['run', '--trace', file, '--pull', 'never', 'missing'])).status, 125);
    assert.match(readFileSync(file, 'utf8'), /"connect"/);
  });
});

describe('a3s-box exec', function () {
  this.timeout(30_000);
  let cli: CliHome;
  beforeEach(() => (cli = new CliHome()));
  afterEach(() => cli.close());

  async function box() {
    const { child, outcome, printed } = cli.start([
      'run',
      '--name',
      'web',
      'IMG',
      'sh',
      '-c',
      'echo up; exec sleep 60',
    ]);
    await printed('up');
    return { child, end: async () => (child.kill('SIGTERM'), assert.equal((await outcome).status, 143)) };
  }

  it('runs one more command with streams, environment and exit status of its own', async () => {
    const main = await box();
    const outcome = await cli.run(['exec', '-i', '-e', 'A=1', 'web', 'sh', '-c', 'cat; echo $A >&2; exit 9'], 'in');
    assert.deepEqual(outcome, { status: 9, stdout: 'in', stderr: '1\n' });
    assert.deepEqual(cli.requests('exec')[0]?.['command'], ['sh', '-c', 'cat; echo $A >&2; exit 9']);
    await main.end();
  });

  it('passes signals on to the command, not to the box', async () => {
    const main = await box();
    const { child, outcome, printed } = cli.start(['exec', 'web', 'sh', '-c', 'echo in; exec sleep 60']);
    await printed('in');
    child.kill('SIGINT');
    assert.equal((await outcome).status, 130);
    assert.equal(main.child.exitCode, null);
    await main.end();
  });

  it('leaves a detached command alone', async () => {
    const main = await box();
    assert.deepEqual(await cli.run(['exec', '-d', 'web', 'sleep', '60']), { status: 0, stdout: '', stderr: '' });
    assert.equal(cli.requests('exec')[0]?.['detached'], true);
    assert.equal(cli.requests('attach').length, 0);
    await main.end();
  });

  it('needs a box and a command', async () => {
    const { status, stderr } = await cli.run(['exec', 'web']);
    assert.equal(status, 125);
    assert.match(stderr, /^a3s-box: 'a3s-box exec' requires at least 2 arguments\n/);
    assert.match((await cli.run(['exec', 'nobody', 'true'])).stderr, /no box "nobody"/);
  });
});
