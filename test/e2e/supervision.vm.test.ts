import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { BIN, BoxCli } from './support/box-cli.ts';
import { dieAtEachWrite } from './support/each-write.ts';
import { SdkHome } from './support/sdk-home.ts';

const IMAGE = 'a3s/starter';
const SMALL = ['-m', '256m'];

describe('boxes that are looked after', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  async function output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args);
    assert.equal(code, 0, `a3s-box ${args.join(' ')}: ${stderr}`);
    return stdout.toString();
  }

  const field = async (box: string, path: string) => (await output('inspect', '-f', `{{${path}}}`, box)).trim();

  /** Resolves once a box's field has a value. */
  async function becomes(box: string, path: string, value: string): Promise<void> {
    for (let seen = ''; seen !== value;) seen = await field(box, path);
  }

  it('are started again after a failure, so many times [run --restart]', async () => {
    const script = 'n=$(cat /n 2>/dev/null || echo 0); echo run $n; echo $((n+1)) >/n; exit 7';
    await output('run', '-d', '--name', 'failing', '--restart', 'on-failure:2', ...SMALL, IMAGE, 'sh', '-c', script);
    await becomes('failing', '.State.Status', 'exited');
    assert.equal(await output('logs', 'failing'), 'run 0\nrun 1\nrun 2\n');
    assert.deepEqual([await field('failing', '.RestartCount'), await field('failing', '.State.ExitCode')], ['2', '7']);
    await output('rm', 'failing');
    const both = await cli.run(['run', '--rm', '--restart', 'always', IMAGE, 'true']);
    assert.match(both.stderr, /--restart and --rm/);
  });

  it('come back when their machine is killed, and stay away when they are stopped [create --restart]', async () => {
    await output('create', '--name', 'kept', '--restart', 'unless-stopped', ...SMALL, IMAGE, 'sleep', '600');
    await output('start', 'kept');
    process.kill(Number(await field('kept', '.State.Pid')), 'SIGKILL');
    await becomes('kept', '.RestartCount', '1');
    await becomes('kept', '.State.Status', 'running');
    await output('stop', '-t', '0', 'kept');
    assert.equal(await field('kept', '.State.Status'), 'exited');
    await output('rm', 'kept');
  });

  it('are asked whether they are well [run --health-cmd, run --health-interval, run --health-retries, run --health-timeout, run --health-start-period, run --health-start-interval, run --no-healthcheck]', async () => {
    const flags = ['--health-cmd', 'cat /well', '--health-interval', '500ms', '--health-retries', '2'];
    const times = ['--health-timeout', '20s', '--health-start-period', '1m', '--health-start-interval', '300ms'];
    await output('run', '-d', '--name', 'asked', ...flags, ...times, ...SMALL, IMAGE, 'sleep', '600');
    assert.match(await output('ps', '--format', '{{.Status}}', '-f', 'name=asked'), /\(health: starting\)$/m);
    await output('exec', 'asked', 'sh', '-c', 'echo fine >/new; mv /new /well');
    await becomes('asked', '.State.Health.Status', 'healthy');
    assert.match(
      await output('inspect', '-f', '{{json .State.Health.Log}}', 'asked'),
      /"ExitCode":0,"Output":"fine\\n"/,
    );
    await output('exec', 'asked', 'rm', '/well');
    await becomes('asked', '.State.Health.Status', 'unhealthy');
    assert.equal(await output('ps', '-q', '-f', 'health=unhealthy').then((ids) => ids.length), 13);
    const slow = ['--health-cmd', 'sleep 60', '--health-interval', '100ms', '--health-timeout', '300ms'];
    await output('run', '-d', '--name', 'slow', ...slow, '--health-retries', '1', ...SMALL, IMAGE, 'sleep', '600');
    await becomes('slow', '.State.Health.Status', 'unhealthy');
    assert.match(await output('inspect', '-f', '{{json .State.Health.Log}}', 'slow'), /exceeded timeout \(300ms\)/);
    await output('create', '--name', 'silent', '--no-healthcheck', IMAGE, 'true');
    assert.equal(await output('inspect', '-f', '{{json .Config.Healthcheck.Test}}', 'silent'), '["NONE"]\n');
    await output('rm', '-f', 'asked', 'slow', 'silent');
  });

  it('keep so much of what they write, and lose nothing of that [run --log-opt, logs --details]', async () => {
    const limits = ['--log-opt', 'max-size=64k', '--log-opt', 'max-file=3', '--log-opt', 'labels=of', '-l', 'of=me'];
    await output('run', '-d', '--name', 'loud', ...limits, ...SMALL, IMAGE, 'seq', '1', '60000');
    assert.equal(await output('wait', 'loud'), '0\n');
    const numbers = (await output('logs', 'loud')).trimEnd().split('\n').map(Number);
    const first = numbers[0]!;
    assert.ok(first > 1 && numbers.length > 1000, `${numbers.length} lines from ${first}`);
    assert.deepEqual(
      numbers,
      [...Array(60_000 - first + 1).keys()].map((i) => first + i),
    );
    assert.equal(await output('logs', '--details', '-n', '1', 'loud'), 'of=me 60000\n');
    await output('rm', 'loud');
  });

  it('keep no log where that was asked for [run --log-driver]', async () => {
    const { stdout } = await cli.run(['run', '--name', 'mute', '--log-driver', 'none', ...SMALL, IMAGE, 'echo', 'hi']);
    assert.equal(stdout.toString(), 'hi\n');
    const { code, stderr } = await cli.run(['logs', 'mute']);
    assert.equal(code, 1);
    assert.match(stderr, /log driver is "none"/);
    assert.equal(await field('mute', '.LogPath'), '');
    await output('rm', 'mute');
  });

  it('are left by keys on a terminal [start --detach-keys, attach --detach-keys, exec --detach-keys]', async () => {
    await output('create', '-it', '--name', 'shell', ...SMALL, IMAGE, 'sh', '-c', 'echo up; exec sleep 600');
    const keys = '--detach-keys ctrl-a,q';
    for (const [command, status] of [
      [`start -ai ${keys} shell`, 0],
      [`attach ${keys} shell`, 1],
      [`exec -it ${keys} shell cat`, 1],
    ] as const) {
      const { code, stdout } = await typed(command, '\x01q');
      assert.deepEqual([code, /read escape sequence/.test(stdout)], [status, true], `${command}: ${stdout}`);
    }
    assert.equal(await field('shell', '.State.Status'), 'running');
    await output('rm', '-f', 'shell');
  });

  /** Runs a command on a terminal, on which keys are typed again and again until it ends. */
  async function typed(command: string, keys: string): Promise<{ code: number | null; stdout: string }> {
    const child = spawn('script', ['-qefc', `${BIN} ${command}`, '/dev/null'], {
      env: { ...process.env, A3S_BOX_HOME: cli.home, SHELL: '/bin/sh' },
    });
    let stdout = '';
    child.stdout.on('data', (data: Buffer) => (stdout += String(data)));
    child.stdin.on('error', () => {});
    // The terminal is lent only once the box is joined, of which nothing tells.
    const typing = setInterval(() => child.stdin.write(keys), 500);
    const [code] = (await once(child, 'close')) as [number | null];
    clearInterval(typing);
    return { code, stdout };
  }

  it('tell what runs in them, whatever their image holds', async () => {
    await output('run', '-d', '--name', 'busy', '-u', '7', ...SMALL, IMAGE, 'sh', '-c', 'sleep 555 & wait');
    let lines: string[] = [];
    // A fork on its way to its program has no arguments yet.
    while (!lines.some((line) => line.endsWith('sleep 555'))) lines = (await output('top', 'busy')).split('\n');
    assert.match(lines[0]!, /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
    assert.match(lines[1]!, /^7 +1 +0 +\d+ +\d\d:\d\d +\? +00:00:\d\d +sh -c sleep 555 & wait$/);
    assert.match(lines[2]!, /^7 +\d+ +1 .* sleep 555$/);
    const { code, stderr } = await cli.run(['top', 'busy', 'aux']);
    assert.equal(code, 125);
    assert.match(stderr, /options of ps are not supported: aux/);
    await output('rm', '-f', 'busy');
  });

  it('are joined by several at a time, also without stdin [attach --no-stdin, attach --sig-proxy]', async () => {
    const script =
      'trap "echo hup; exit 5" HUP; while :; do if read -t 1 x; then echo "got $x"; else echo tick; fi; done';
    await output('run', '-d', '-i', '--name', 'shared', ...SMALL, IMAGE, 'sh', '-c', script);
    /** Runs a command; `printed` resolves once it has printed a text. */
    const joined = (args: string[], text: string, stdin?: string) => {
      const printed = Promise.withResolvers<ChildProcess>();
      let stdout = '';
      const started = (child: ChildProcess) =>
        void child.stdout?.on('data', (data: Buffer) => {
          stdout += String(data);
          if (stdout.includes(text)) printed.resolve(child);
        });
      return { outcome: cli.run(args, { started, ...(stdin !== undefined && { stdin }) }), printed: printed.promise };
    };
    const watching = joined(['attach', '--no-stdin', 'shared'], 'tick');
    const leaving = joined(['attach', '--sig-proxy=false', 'shared'], 'tick');
    await watching.printed;
    (await leaving.printed).kill('SIGHUP');
    const typing = joined(['attach', 'shared'], 'got one', 'one\n');
    assert.deepEqual([(await leaving.outcome).code, await field('shared', '.State.Status')], [129, 'running']);
    await typing.printed;
    await output('kill', '-s', 'HUP', 'shared');
    for (const { code, stdout } of await Promise.all([watching.outcome, typing.outcome]))
      assert.deepEqual([code, stdout.toString().replaceAll('tick\n', '')], [5, 'got one\nhup\n']);
    await output('rm', 'shared');
  });

  it('hear nothing of the signals of a command that keeps them to itself [run --sig-proxy]', async () => {
    const script = 'trap "echo heard" HUP; echo up; while :; do sleep 0.1; done';
    const args = ['run', '--sig-proxy=false', '--name', 'deaf', ...SMALL, IMAGE, 'sh', '-c', script];
    const left = await cli.run(args, { started: (child) => child.stdout?.once('data', () => child.kill('SIGHUP')) });
    assert.deepEqual([left.code, await field('deaf', '.State.Status')], [129, 'running']);
    await output('stop', '-t', '0', 'deaf');
    assert.equal(await output('logs', 'deaf'), 'up\n');
    await output('rm', 'deaf');
  });
});

describe('a start that is cut off', () => {
  let home: SdkHome;
  before(async () => {
    home = await SdkHome.create();
  });
  after(() => home[Symbol.asyncDispose]());

  it('leaves a box that ran before as it was, or running, at each write of its databases', async function () {
    this.timeout(240_000);
    const client = await home.connect();
    const script = 'touch /mark; md5sum /mark; sleep 1000';
    const { id } = await client.runDetached(home.spec(script));
    await client.stop(id, { graceMs: 0 });
    await home.stopSupervisor(client);
    const seen = new Set<string>();
    const count = await dieAtEachWrite(home, {
      alsoAfter: false,
      act: (first) => first.start(id),
      check: async (second, death) => {
        const { state } = await second.inspect(id);
        seen.add(state);
        if (state === 'running') {
          assert.equal(await second.exec(id, { command: ['test', '-e', '/mark'], detached: true }).then(Boolean), true);
          await second.stop(id, { graceMs: 0 });
        } else {
          assert.equal(state, 'exited', death);
          assert.equal((await home.vmms()).length, 0, death);
        }
      },
    });
    assert.ok(count >= 4, `a start takes ${count} writes`);
    assert.ok(seen.has('exited') && seen.has('running'), [...seen].join());
    const last = await home.connect();
    let text = '';
    for await (const { data } of last.logs(id)) text += String(data);
    assert.match(text, new RegExp(createHash('md5').update('').digest('hex')));
    await last.remove(id);
  });
});
