import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { filesOfBoxes } from './support/home-files.ts';
import { BoxCli } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';

describe('a3s-box run', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  it('runs the image on a kernel of its own and ends with the workload’s status', async () => {
    const { code, stdout } = await cli.run(['run', '--rm', IMAGE, 'sh', '-c', 'uname -r; exit 7']);
    assert.match(stdout.toString(), /^\d+\.\d+\.\d+\S*\n$/);
    assert.notEqual(stdout.toString().trim(), release());
    assert.equal(code, 7);
  });

  for (const dashes of [[], ['--']]) {
    const title = dashes.length > 0 ? 'with "--" before the image' : 'without "--"';
    it(`leaves options after the image to the workload, ${title}`, async () => {
      // What -e takes is one word; -u, -c and -la belong to env, sh and ls.
      const workload = ['env', '-u', 'X', 'sh', '-c', 'echo "[$X]"; env; ls -la /'];
      const { code, stdout, stderr } = await cli.run([
        ...['run', '--rm', '-e', 'A=1', '-e', 'X=1', ...dashes],
        ...[IMAGE, ...workload],
      ]);
      assert.match(stdout.toString(), /^\[\]\n(.*\n)*A=1\n(.*\n)*drwx.* bin\n/, stderr);
      assert.equal(code, 0);
    });
  }

  it('gives stdin to the workload with -i, and its end [run --interactive]', async () => {
    const { code, stdout } = await cli.run(['run', '--rm', '-i', IMAGE, 'cat'], { stdin: 'hi\n' });
    assert.equal(stdout.toString(), 'hi\n');
    assert.equal(code, 0);
  });

  it('gives the workload an empty stdin without -i', async () => {
    const { code, stdout } = await cli.run(['run', '--rm', IMAGE, 'cat'], { stdin: 'hi\n' });
    assert.equal(stdout.toString(), '');
    assert.equal(code, 0);
  });

  it('carries 100 MB through stdin and out of stdout whole', async () => {
    const data = randomBytes(100_000_000);
    const { code, stdout } = await cli.run(['run', '--rm', '-i', IMAGE, 'cat'], { stdin: data });
    assert.equal(code, 0);
    assert.equal(stdout.length, data.length);
    assert.equal(sha256(stdout), sha256(data));
  });

  it('keeps stdout and stderr apart', async () => {
    const { stdout, stderr } = await cli.run(['run', '--rm', IMAGE, 'sh', '-c', 'echo out; echo err >&2']);
    assert.equal(stdout.toString(), 'out\n');
    assert.match(stderr, /^err$/m);
  });

  it('ends with 127 for a command that is not there and 126 for one that cannot be run', async () => {
    const missing = await cli.run(['run', '--rm', IMAGE, 'no-such-command']);
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /no-such-command/);
    const directory = await cli.run(['run', '--rm', IMAGE, '/tmp']);
    assert.equal(directory.code, 126);
    assert.match(directory.stderr, /\/tmp/);
  });

  it('passes signals on to the workload', async () => {
    const script = 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done';
    const { code } = await cli.run(['run', '--rm', IMAGE, 'sh', '-c', script], {
      started: (child) => child.stdout?.once('data', () => child.kill('SIGTERM')),
    });
    assert.equal(code, 3);
  });

  it('applies -e, --env-file, -w, -u, --entrypoint and --hostname [run --env, run --env-file, run --workdir, run --user, run --entrypoint, run --hostname]', async () => {
    const file = `${cli.home}/variables`;
    await writeFile(file, 'A=file\nB=file\n');
    const flags = [
      '--env-file',
      file,
      '-e',
      'A=1',
      '-w',
      '/new/place',
      '-u',
      '65534:65534',
      '--entrypoint',
      'sh',
      '--hostname',
      'here',
    ];
    const script = 'echo "$A $B $(pwd) $(id -u):$(id -g) $(hostname) $HOSTNAME"';
    const { stdout, stderr } = await cli.run(['run', '--rm', ...flags, IMAGE, '-c', script]);
    assert.equal(stdout.toString(), '1 file /new/place 65534:65534 here here\n', stderr);
  });

  it('ends a workload that outlives --timeout with 124 [run --timeout]', async () => {
    const { code } = await cli.run(['run', '--rm', '--timeout', '1', IMAGE, 'sleep', '600']);
    assert.equal(code, 124);
  });

  it('sees the memory and the CPUs that it was given [run --memory, run --cpus]', async () => {
    // The KVM host has 3 GiB.
    const most = process.env['A3S_BOX_KVM_HOST'] === undefined ? 8 : 2;
    for (const [memory, cpus] of [
      ['256m', '1'],
      [`${most}g`, '4'],
    ] as const) {
      const script =
        'grep MemTotal /proc/meminfo; nproc; cat /sys/devices/system/clocksource/clocksource0/current_clocksource';
      const { stdout, stderr } = await cli.run([
        'run',
        '--rm',
        '-m',
        memory,
        '--cpus',
        cpus,
        IMAGE,
        'sh',
        '-c',
        script,
      ]);
      const [total = '', count, clock] = stdout.toString().split('\n');
      const bytes = Number(/\d+/.exec(total)?.[0]) * 1024;
      const wanted = memory === '256m' ? 2 ** 28 : most * 2 ** 30;
      assert.ok(bytes > wanted * 0.75 && bytes <= wanted, `${total} of ${memory}: ${stderr}`);
      assert.equal(count, cpus);
      // KVM has a clock of its own for its guests.
      assert.match(clock ?? '', process.env['A3S_BOX_KVM_HOST'] === undefined ? /^tsc$/ : /^(?:tsc|kvm-clock)$/);
    }
  });

  it('runs on the backend that it is given, and on no other [run --backend]', async () => {
    const { chosenBackend } = JSON.parse((await cli.run(['info', '--json'])).stdout.toString()) as Record<
      string,
      string
    >;
    const ran = await cli.run(['run', '-d', '--name', 'there', '--backend', chosenBackend!, IMAGE, 'sleep', '60']);
    assert.equal(ran.code, 0, ran.stderr);
    const { stdout } = await cli.run(['inspect', '-f', '{{.Backend}}', 'there']);
    assert.equal(stdout.toString(), `${chosenBackend}\n`);
    assert.equal((await cli.run(['rm', '-f', 'there'])).code, 0);
    const nowhere = await cli.run(['run', '--rm', '--backend', 'nothing', IMAGE, 'true']);
    assert.deepEqual([nowhere.code, /backend "nothing"/.test(nowhere.stderr)], [125, true], nowhere.stderr);
  });

  it('leaves nothing behind with --rm [run --rm]', async () => {
    await cli.run(['run', '--rm', IMAGE, 'true']);
    assert.deepEqual(await filesOfBoxes(cli.home), []);
  });

  it('refuses with 125 what it cannot do, before anything starts', async () => {
    const wrong: [string[], RegExp][] = [
      [['run', '--rm', '--pull', 'never', 'no/such-image', 'true'], /no\/such-image/],
      [['run', '--rm', '--cpus', '100', IMAGE, 'true'], /cpus/i],
      [['run', '--rm', '-m', '1m', IMAGE, 'true'], /memory/],
      [['run', '--rm', '--no-such-flag', IMAGE, 'true'], /no-such-flag/],
      [['run', '--rm', '--userns', 'host', IMAGE, 'true'], /userns/],
      [['run', '--rm', '--backend', 'nothing', IMAGE, 'true'], /nothing/],
    ];
    for (const [args, message] of wrong) {
      const { code, stderr } = await cli.run(args);
      assert.equal(code, 125, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, message);
    }
  });

  it('writes a trace of all phases, of a clone, of one that was made ahead, and of a box that boots [run --trace]', async () => {
    const phases: [options: string[], expected: string[]][] = [
      // What was made ahead has another host name.
      [
        ['--hostname', 'traced'],
        ['template', 'start clone', 'wake guest', 'start container'],
      ],
      [[], ['wake spare', 'start container']],
      // Nobody asks for this size but once.
      [
        ['-m', '300m'],
        ['start vmm', 'boot guest', 'kernel', 'start container'],
      ],
    ];
    for (const [options, expected] of phases) {
      const file = `${cli.home}/trace.json`;
      const { code, stderr } = await cli.run(['run', '--rm', ...options, '--trace', file, IMAGE, 'true']);
      assert.equal(code, 0, stderr);
      const trace = JSON.parse(await readFile(file, 'utf8')) as { traceEvents: { name: string; ph: string }[] };
      const names = trace.traceEvents.map((event) => event.name);
      for (const name of expected)
        assert.ok(names.includes(name), `${options.join(' ')}: no ${name} in ${names.join()}`);
    }
  });
});

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
