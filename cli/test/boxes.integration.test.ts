import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliHome } from './support/cli.ts';

describe('commands for boxes', function () {
  this.timeout(30_000);
  let cli: CliHome;
  beforeEach(() => (cli = new CliHome()));
  afterEach(() => cli.close());

  async function started(name: string, ...command: string[]): Promise<string> {
    const { status, stdout, stderr } = await cli.run(['run', '-d', '--name', name, 'IMG', ...command]);
    assert.equal(status, 0, stderr);
    return stdout.trim();
  }

  describe('ps', () => {
    it('lists boxes that run, newest first, and with -a all', async () => {
      await started('first', 'sleep', '60');
      await started('second', 'true');
      await cli.run(['wait', 'second']);
      const { stdout } = await cli.run(['ps']);
      assert.match(
        stdout,
        /^BOX ID {9}IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES\n[0-9a-f]{12} +IMG +"sleep 60" .+ Up .+ first\n$/,
      );
      const all = await cli.run(['ps', '-a', '--format', '{{.Names}} {{.State}}']);
      assert.equal(all.stdout, 'second exited\nfirst running\n');
    });

    it('prints only ids with -q, and the newest with -l and -n [ps --quiet, ps --latest, ps --last, ps --no-trunc]', async () => {
      const ids = [await started('a', 'sleep', '60'), await started('b', 'sleep', '60'), await started('c', 'true')];
      await cli.run(['wait', 'c']);
      assert.equal((await cli.run(['ps', '-q'])).stdout, `${ids[1]!.slice(0, 12)}\n${ids[0]!.slice(0, 12)}\n`);
      assert.equal((await cli.run(['ps', '-lq', '--no-trunc'])).stdout, `${ids[2]}\n`);
      assert.equal((await cli.run(['ps', '-n2', '--format', '{{.Names}}'])).stdout, 'c\nb\n');
      assert.equal((await cli.run(['ps', '-n', '2', '--filter', 'name=a', '--format', '{{.Names}}'])).stdout, 'a\n');
    });

    it('prints a JSON document a line', async () => {
      await started('web', 'sleep', '60');
      const { stdout } = await cli.run(['ps', '--format', 'json']);
      const row = JSON.parse(stdout) as Record<string, string>;
      assert.deepEqual([row['Names'], row['State'], row['Networks']], ['web', 'running', 'default']);
    });

    it('lists a state that is asked for without -a [ps --filter]', async () => {
      await started('job', 'sh', '-c', 'exit 3');
      await cli.run(['wait', 'job']);
      const names = async (...args: string[]) => (await cli.run(['ps', ...args, '--format', '{{.Names}}'])).stdout;
      assert.equal(await names('-f', 'status=exited'), 'job\n');
      assert.equal(await names('-f', 'exited=3'), '');
      assert.equal(await names('-a', '-f', 'exited=3', '-f', 'ancestor=IMG'), 'job\n');
    });

    it('refuses filters and templates before it starts anything', async () => {
      for (const args of [['-f', 'frob=1'], ['--format', '{{.Nope}}'], ['--format', '{{if}}'], ['-n', 'x'], ['-s']]) {
        const { status, stdout, stderr } = await cli.run(['ps', ...args]);
        assert.deepEqual([status, stdout], [125, ''], args.join(' '));
        assert.match(stderr, /^a3s-box: /);
      }
      assert.equal(existsSync(cli.home), false);
    });

    it('says that -q leaves --format out', async () => {
      await started('web', 'sleep', '60');
      const { stdout, stderr } = await cli.run(['ps', '-q', '--format', '{{.Names}}']);
      assert.match(stdout, /^[0-9a-f]{12}\n$/);
      assert.match(stderr, /--format is left out/);
    });
  });

  describe('logs', () => {
    it('print stdout and stderr, each where it belongs', async () => {
      await started('job', 'sh', '-c', 'echo out; echo err >&2; printf "no newline"');
      assert.deepEqual(await cli.run(['logs', '-f', 'job']), { status: 0, stdout: 'out\nno newline', stderr: 'err\n' });
    });

    it('hand over what is asked for', async () => {
      await started('job', 'true');
      await cli.run(['logs', '-n', '5', '--since', '2026-01-02T15:04:05Z', '--until', '1772600767.5', 'job']);
      await cli.run(['logs', '--tail', 'all', 'job']);
      const [some, all] = cli.requests('logs');
      assert.deepEqual(
        [some!['tail'], some!['sinceNs'], some!['untilNs'], some!['follow']],
        [5, 1767366245e9, 17726007675e8, false],
      );
      assert.equal(all!['tail'], undefined);
    });

    it('have the time before each line with -t', async () => {
      await started('job', 'sh', '-c', 'echo a; echo b');
      const { stdout } = await cli.run(['logs', '-ft', 'job']);
      assert.match(stdout, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z a\n/);
    });

    it('end with 130 after Ctrl-C, and leave the box alone', async () => {
      await started('web', 'sleep', '60');
      const { child, outcome } = cli.start(['logs', '-f', 'web']);
      await cli.requested('logs');
      child.kill('SIGINT');
      assert.deepEqual(await outcome, { status: 130, stdout: '', stderr: '' });
      assert.equal((await cli.run(['ps', '-q'])).stdout.length, 13);
    });

    it('end quietly when nobody reads them', async () => {
      await started('job', 'sh', '-c', 'i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done');
      await cli.run(['wait', 'job']);
      const { child, outcome } = cli.start(['logs', 'job']);
      await once(child.stdout, 'data');
      child.stdout.destroy();
      const { status, stderr } = await outcome;
      assert.equal(stderr, '');
      assert.ok(status === 141 || status === 0, String(status));
    });

    it('of a box that is not there are none, with 1 as in Docker', async () => {
      const { status, stderr } = await cli.run(['logs', 'nobody']);
      assert.equal(status, 1);
      assert.match(stderr, /^a3s-box: no box "nobody"\n/);
    });
  });

  describe('stop, kill, rm and wait', () => {
    it('print the names they were given, and go on after a failure', async () => {
      await started('a', 'sleep', '60');
      await started('b', 'sleep', '60');
      const { status, stdout, stderr } = await cli.run(['stop', '--time', '3', 'a', 'nobody', 'b']);
      assert.deepEqual([status, stdout], [1, 'a\nb\n']);
      assert.match(stderr, /no box "nobody"/);
      assert.deepEqual(
        cli.requests('stopBox').map((request) => request['graceMs']),
        [3000, 3000, 3000],
      );
      assert.deepEqual(await cli.run(['wait', 'a', 'b']), { status: 0, stdout: '143\n143\n', stderr: '' });
      assert.deepEqual(await cli.run(['rm', 'a', 'b']), { status: 0, stdout: 'a\nb\n', stderr: '' });
      assert.equal((await cli.run(['ps', '-aq'])).stdout, '');
    });

    it('kill with SIGKILL, or what is asked for', async () => {
      await started('a', 'sleep', '60');
      await started('b', 'sleep', '60');
      assert.equal((await cli.run(['kill', 'a'])).stdout, 'a\n');
      assert.equal((await cli.run(['kill', '-s', 'usr1', 'b'])).stdout, 'b\n');
      assert.equal((await cli.run(['wait', 'a', 'b'])).stdout, '137\n138\n');
      const { status, stderr } = await cli.run(['kill', '-s', 'frob', 'a']);
      assert.equal(status, 1);
      assert.match(stderr, /signal "frob" is not known/);
    });

    it('remove a box that runs only by force', async () => {
      await started('web', 'sleep', '60');
      const { status, stderr } = await cli.run(['rm', 'web']);
      assert.equal(status, 1);
      assert.match(stderr, /box web runs/);
      assert.deepEqual(await cli.run(['rm', '-f', 'web']), { status: 0, stdout: 'web\n', stderr: '' });
      const again = await cli.run(['rm', '-f', 'web']);
      assert.deepEqual([again.status, again.stdout], [0, '']);
      assert.match(again.stderr, /no box "web"/);
    });

    it('take no empty name, which would be the beginning of every id', async () => {
      await started('web', 'sleep', '60');
      for (const command of [
        ['rm', '-f', ''],
        ['stop', ''],
        ['kill', ''],
        ['wait', ''],
        ['inspect', ''],
        ['logs', ''],
      ]) {
        const { status, stderr } = await cli.run(command);
        assert.equal(status, 1, command.join(' '));
        assert.match(stderr, /the name of a box cannot be empty/);
      }
      assert.equal((await cli.run(['exec', '', 'true'])).status, 125);
      assert.equal((await cli.run(['ps', '--format', '{{.Names}}'])).stdout, 'web\n');
    });

    it('refuse what they cannot do', async () => {
      for (const args of [['rm', '-l', 'x'], ['stop', '-t', '-2', 'x'], ['rm'], ['wait']]) {
        assert.equal((await cli.run(args)).status, 125, args.join(' '));
      }
      assert.equal(existsSync(cli.home), false);
    });

    it('stop waiting after Ctrl-C', async () => {
      await started('web', 'sleep', '60');
      const { child, outcome } = cli.start(['wait', 'web']);
      await cli.requested('wait');
      child.kill('SIGINT');
      assert.deepEqual(await outcome, { status: 130, stdout: '', stderr: '' });
    });
  });

  describe('inspect and port', () => {
    it('print JSON, or a template for each box', async () => {
      const id = await started('web', 'sleep', '60');
      const { stdout } = await cli.run(['inspect', 'web']);
      const [box] = JSON.parse(stdout) as { Id: string; Name: string; State: { Running: boolean; ExitCode: null } }[];
      assert.deepEqual([box?.Id, box?.Name, box?.State.Running, box?.State.ExitCode], [id, 'web', true, null]);
      assert.match(stdout, /^\[\n {4}\{\n {8}"Id": /);
      const line = await cli.run([
        'inspect',
        '-f',
        '{{.State.Status}} {{join .Args "+"}} {{json .Config.Labels}}',
        'web',
      ]);
      assert.equal(line.stdout, 'running 60 {}\n');
    });

    it('print what there is, and end with 1 for what there is not', async () => {
      await started('web', 'sleep', '60');
      const { status, stdout, stderr } = await cli.run(['inspect', 'nobody', 'web']);
      assert.deepEqual([status, (JSON.parse(stdout) as unknown[]).length], [1, 1]);
      assert.match(stderr, /no box "nobody"/);
      assert.equal((await cli.run(['inspect', 'nobody'])).stdout, '[]\n');
    });

    it('show where the host listens', async () => {
      await cli.run([
        'run',
        '-d',
        '--name',
        'web',
        '-p',
        '127.0.0.1:8080:80',
        '-p',
        '[::1]:53:53/udp',
        'IMG',
        'sleep',
        '60',
      ]);
      assert.equal((await cli.run(['port', 'web'])).stdout, '53/udp -> [::1]:53\n80/tcp -> 127.0.0.1:8080\n');
      assert.equal((await cli.run(['port', 'web', '80'])).stdout, '127.0.0.1:8080\n');
      const missing = await cli.run(['port', 'web', '81/tcp']);
      assert.deepEqual([missing.status, missing.stdout], [1, '']);
      assert.match(missing.stderr, /box web does not publish port 81\/tcp/);
      assert.equal((await cli.run(['port', 'web', 'x'])).status, 125);
    });
  });

  describe('--format of other commands', () => {
    it('of images [images --format]', async () => {
      const { stdout } = await cli.run(['images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}']);
      assert.equal(stdout, `a3s/starter:latest ${'ab'.repeat(6)}\n`);
      assert.match((await cli.run(['images', '--format', 'table {{.Tag}}'])).stdout, /^TAG\nlatest\n$/);
    });

    it('of info and version, with and without a supervisor [info --format, version --format]', async () => {
      assert.equal((await cli.run(['version', '--format', '{{json .Server}}'])).stdout, 'null\n');
      const { stdout } = await cli.run(['info', '--format', '{{.Home}} {{(index .Backends 0).Name}}']);
      assert.equal(stdout, `${cli.home} qemu\n`);
      const { supervisorPid, home } = JSON.parse((await cli.run(['info', '--json'])).stdout) as Record<string, unknown>;
      assert.equal(home, cli.home);
      assert.equal((await cli.run(['version', '--format', '{{.Server.Pid}}'])).stdout, `${supervisorPid}\n`);
    });

    it('conflicts with --json', async () => {
      for (const command of ['images', 'info', 'version']) {
        assert.equal((await cli.run([command, '--json', '--format', 'json'])).status, 125);
      }
    });
  });

  it('is started with the machine once that was asked for, by the service manager of its user', async () => {
    const bin = join(cli.parent, 'bin');
    const calls = join(cli.parent, 'calls');
    mkdirSync(bin);
    const program = join(bin, 'systemctl');
    writeFileSync(program, `#!/bin/sh\necho "$@" >>${calls}\n[ "$2" != "$REFUSE" ] || { echo no bus >&2; exit 1; }\n`);
    chmodSync(program, 0o755);
    const environment = { PATH: `${bin}:${process.env['PATH']}`, XDG_CONFIG_HOME: join(cli.parent, 'config') };
    const run = (command: string, more = {}) => cli.start(['system', command], { ...environment, ...more }).outcome;
    const refused = await run('install', { REFUSE: 'enable' });
    assert.deepEqual(
      [refused.status, /enable --now a3s-box-[0-9a-f]{8}.service failed: no bus/.test(refused.stderr)],
      [125, true],
    );
    const { status, stdout, stderr } = await run('install');
    const file = stdout.trim();
    assert.deepEqual([status, dirname(file)], [0, join(cli.parent, 'config/systemd/user')], stderr);
    const unit = readFileSync(file, 'utf8');
    assert.match(unit, new RegExp(`^ExecStart="[^\n]*/node"[^\n]* "--home" "${cli.home}"$`, 'm'));
    assert.match(unit, /^KillMode=process$/m);
    assert.equal((await run('uninstall')).status, 0);
    assert.equal(existsSync(file), false);
    assert.equal((await run('uninstall')).status, 125);
    const [name] = file.split('/').slice(-1);
    assert.deepEqual(readFileSync(calls, 'utf8').trim().split('\n').slice(2), [
      '--user daemon-reload',
      `--user enable --now ${name}`,
      `--user disable ${name}`,
      '--user daemon-reload',
    ]);
  });
});
