import assert from 'node:assert/strict';
import { filesOfBoxes } from './support/home-files.ts';
import { BoxCli } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';
const SMALL = ['-m', '256m'];
const NEVER_ENDING =
  'trap "echo stopped; exit 4" TERM; trap "echo used; exit 6" USR1; >/dev/shm/ready; while :; do sleep 0.1; done';
const IS_READY = 'until [ -e /dev/shm/ready ]; do sleep 0.1; done';

describe('the life of a box', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  /** @returns what it printed, after it ended with 0 */
  async function output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args);
    assert.equal(code, 0, `a3s-box ${args.join(' ')}: ${stderr}`);
    return stdout.toString();
  }

  /** @param status that it ends with; absent: any but 0 */
  async function refused(args: string[], message: RegExp, status?: number): Promise<void> {
    const { code, stderr } = await cli.run(args);
    if (status === undefined) assert.notEqual(code, 0, args.join(' '));
    else assert.equal(code, status, args.join(' '));
    assert.match(stderr, message);
  }

  const field = async (box: string, path: string) => (await output('inspect', '-f', `{{${path}}}`, box)).trim();

  describe('that was created', () => {
    const script = 'cat /kept 2>/dev/null; echo "line $1" >>/kept; cat; echo end; exit 3';
    before(() => output('create', '-i', '--name', 'job', '--label', 'x=1', ...SMALL, IMAGE, 'sh', '-c', script));
    after(() => output('rm', '-f', 'job'));

    it('waits for its start, and cannot be joined [create --name, create --label]', async () => {
      assert.equal(await field('job', '.State.Status'), 'created');
      assert.equal(await field('job', '.Config.Labels.x'), '1');
      await refused(['attach', 'job'], /does not run/);
      await refused(['pause', 'job'], /not running/);
    });

    it('is started with its streams joined, and ends with its status [start --attach, start --interactive]', async () => {
      const { code, stdout } = await cli.run(['start', '-ai', 'job'], { stdin: 'typed\n' });
      assert.deepEqual([code, stdout.toString()], [3, 'typed\nend\n']);
    });

    it('keeps its disk and its log over a second start, in another machine', async () => {
      const { code, stdout } = await cli.run(['start', '-a', '-i', 'job'], { stdin: '' });
      assert.deepEqual([code, stdout.toString()], [3, 'line \nend\n']);
      assert.equal(await output('logs', 'job'), 'typed\nend\nline \nend\n');
      await refused(['start', '-a', 'job', 'other'], /only one box/);
    });
  });

  it('is as long as its stop needs, where nobody gives a limit [stop --timeout, create --stop-timeout]', async () => {
    const slow = "trap 'sleep 2; exit 5' TERM; echo up; sleep 1000 & wait";
    await output('create', '--name', 'slow', '--stop-timeout', '-1', ...SMALL, IMAGE, 'sh', '-c', slow);
    assert.equal(await field('slow', '.Config.StopTimeout'), '-1');
    // More than a timer of Node.js takes is no limit of a millisecond.
    for (const timeout of [[], ['-t', '-1'], ['-t', '3000000']]) {
      await output('start', 'slow');
      await output('stop', ...timeout, 'slow');
      assert.equal(await output('wait', 'slow'), '5\n', `stop ${timeout.join(' ')}`);
    }
    await output('rm', 'slow');
  });

  describe('that runs', () => {
    before(() => output('run', '-d', '--name', 'web', '--hostname', 'here', ...SMALL, IMAGE, 'sh', '-c', NEVER_ENDING));
    after(() => output('rm', '-f', 'web', 'renamed'));

    it('stands still while it is paused, and has the right time afterwards', async () => {
      assert.equal(await output('pause', 'web'), 'web\n');
      assert.equal(await output('ps', '--format', '{{.Status}}').then((line) => /\(Paused\)$/m.test(line)), true);
      assert.deepEqual([await field('web', '.State.Paused'), await field('web', '.State.Status')], ['true', 'paused']);
      await refused(['exec', 'web', 'true'], /paused/, 1);
      await refused(['attach', 'web'], /paused/);
      await refused(['pause', 'web'], /already paused/);
      await refused(['start', 'web'], /paused/);
      await refused(['update', '-m', '200m', 'web'], /paused/);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      assert.equal(await output('unpause', 'web'), 'web\n');
      const guest = Number(await output('exec', 'web', 'date', '+%s'));
      assert.ok(Math.abs(guest - Date.now() / 1000) < 2.5, `the guest's clock is ${guest - Date.now() / 1000} s off`);
      await refused(['unpause', 'web'], /not paused/);
    });

    it('has other limits at once, as far as its machine allows [update --memory, update --cpus]', async () => {
      await output('update', '-m', '128m', '--cpus', '0.5', 'web');
      const limits = await output('exec', 'web', 'cat', '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/cpu.max');
      assert.equal(limits, `${128 * 2 ** 20}\n50000 100000\n`);
      assert.deepEqual(
        [await field('web', '.HostConfig.Memory'), await field('web', '.HostConfig.NanoCpus')],
        [String(128 * 2 ** 20), '500000000'],
      );
      await refused(['update', '-m', '1g', 'web'], /has 256 MiB of memory while it runs[^]*a3s-box stop/);
      await refused(['update', '--cpus', '2', 'web'], /has 1 CPUs while it runs/);
      await refused(['update', 'web'], /nothing to update/);
      await output('update', '-m', '256m', '--cpus', '1', 'web');
      assert.equal(await output('exec', 'web', 'cat', '/sys/fs/cgroup/memory.max'), 'max\n');
    });

    it('has the other limits of its control group at once [update --cpu-shares, update --cpuset-cpus, update --cpuset-mems, update --memory-reservation, update --memory-swap, update --pids-limit]', async () => {
      const { before, after } = { before: await field('web', '.HostConfig.PidsLimit'), after: '77' };
      assert.notEqual(before, after);
      const given = ['--cpu-shares', '512', '--cpuset-cpus', '0', '--cpuset-mems', '0', '--pids-limit', after];
      await output('update', ...given, '--memory-reservation', '32m', '--memory-swap', '256m', 'web');
      await refused(['update', '--cpu-quota', '20000', 'web'], /a number of CPUs and a quota/);
      const files = ['cpu.weight', 'cpuset.cpus', 'cpuset.mems', 'pids.max', 'memory.low', 'cpu.max'];
      const limits = async (): Promise<string> =>
        await output('exec', 'web', 'sh', '-c', `cd /sys/fs/cgroup && cat ${files.join(' ')}`);
      assert.equal(await limits(), `59\n0\n0\n77\n${32 * 2 ** 20}\nmax 100000\n`);
      const shown = ['CpuShares', 'CpusetCpus', 'PidsLimit', 'MemoryReservation', 'MemorySwap'];
      assert.equal(
        await output('inspect', '-f', shown.map((name) => `{{.HostConfig.${name}}}`).join(' '), 'web'),
        `512 0 77 ${32 * 2 ** 20} ${256 * 2 ** 20}\n`,
      );
      await refused(['update', '--memory-swap', '512m', 'web'], /swap is not supported/);
      await refused(['update', '--cpuset-cpus', '3', 'web'], /the box has 1 CPUs/);
      await refused(['update', '--blkio-weight', '300', 'web'], /block devices/);
      assert.match(await limits(), /^59\n0\n/);
    });

    it('has a restart policy that was given later [update --restart]', async () => {
      await output('update', '--restart', 'on-failure:3', 'web');
      assert.equal(await output('inspect', '-f', '{{json .HostConfig.RestartPolicy}}', 'web'), POLICY);
      await output('update', '--restart', 'no', 'web');
      assert.equal(await field('web', '.HostConfig.RestartPolicy.Name'), 'no');
    });

    it('is restarted with its stop signal, and with another one [restart --signal, restart --timeout]', async () => {
      const first = await field('web', '.State.StartedAt');
      const ready = () => output('exec', 'web', 'sh', '-c', IS_READY);
      await ready();
      assert.equal(await output('restart', 'web'), 'web\n');
      await ready();
      assert.notEqual(await field('web', '.State.StartedAt'), first);
      assert.equal(await output('restart', '-s', 'USR1', 'web'), 'web\n');
      await ready();
      await output('restart', '-s', 'WINCH', '-t', '0', 'web');
      await ready();
      assert.equal(await output('logs', 'web'), 'stopped\nused\n');
      assert.equal(await output('exec', 'web', 'hostname'), 'here\n');
    });

    it('is stopped by another signal than its own [stop --signal]', async () => {
      await output('stop', '-s', 'USR1', 'web');
      assert.equal(await field('web', '.State.ExitCode'), '6');
      assert.equal(await output('logs', '--tail', '1', 'web'), 'used\n');
    });

    it('has another name when it was given one', async () => {
      await output('rename', 'web', 'renamed');
      assert.equal(await field('renamed', '.Name'), 'renamed');
      await refused(['inspect', 'web'], /web/);
      await output('create', '--name', 'web', ...SMALL, IMAGE, 'true');
      await refused(['rename', 'renamed', 'web'], /"web" is in use/);
      await refused(['rename', 'renamed', '?'], /not valid/);
    });

    it('is stopped and removed while it is paused', async () => {
      await output('start', 'renamed');
      await output('pause', 'renamed');
      await output('stop', 'renamed');
      assert.equal(await field('renamed', '.State.ExitCode'), '4');
      await output('start', 'renamed');
      await output('pause', 'renamed');
      await output('rm', '-f', 'renamed');
    });
  });

  describe('that nobody needs', () => {
    it('ends with those that do not run any more [container prune --filter, container prune --force, system df --format, system df --verbose]', async () => {
      for (const name of ['one', 'two'])
        await output('create', '--name', name, '-l', `is=${name}`, ...SMALL, IMAGE, 'true');
      await output('run', '-d', '--name', 'three', ...SMALL, IMAGE, 'sleep', '600');
      const asked = await cli.run(['container', 'prune'], { stdin: 'n\n' });
      assert.deepEqual([asked.code, await output('ps', '-aq').then((ids) => ids.split('\n').length)], [1, 4]);
      assert.match(
        await output('container', 'prune', '-f', '--filter', 'label!=is=two'),
        /^Deleted Boxes:\n[0-9a-f]{64}\n\n/,
      );
      assert.equal(await output('container', 'ls', '-a', '--format', '{{.Names}}'), 'three\ntwo\n');
      assert.equal(await output('container', 'prune', '-f', '--filter', 'until=1h'), 'Total reclaimed space: 0B\n');
      assert.match(await output('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}'), /^Boxes 2 1$/m);
      await output('volume', 'create', 'kept');
      const listed = await output('system', 'df', '--verbose');
      assert.match(
        listed,
        /^Images space usage:\n\nREPOSITORY +TAG +IMAGE ID +CREATED +SIZE +BOXES\na3s\/starter .* 2$/m,
      );
      assert.match(
        listed,
        /^Boxes space usage:\n\nBOX ID .*\n[0-9a-f]{12} .* 0 +\S+B .* Up .* three\n[0-9a-f]{12} .* Created +two$/m,
      );
      assert.match(listed, /^Local Volumes space usage:\n\nVOLUME NAME +LINKS +SIZE\nkept +0 +\S+B$/m);
      await refused(['system', 'df', '-v', '--format', 'json'], /--verbose and --format/);
      await output('volume', 'rm', 'kept');
      await refused(['container', 'prune', '-f', '--filter', 'x=1'], /invalid filter/);
      await output('rm', '-f', 'three');
    });

    it('leaves room when all is removed that nobody needs [system prune --all, system prune --force, system prune --filter]', async () => {
      assert.equal((await output('system', 'prune', '-f')).includes('untagged'), false);
      assert.match(await output('images', '--format', '{{.Repository}}'), /a3s\/starter/);
      await output('create', '--name', 'user', ...SMALL, IMAGE, 'true');
      await output('system', 'prune', '-a', '-f', '--filter', 'label=no=such');
      assert.equal(await output('ps', '-aq').then((ids) => ids !== ''), true);
      const pruned = await output('system', 'prune', '-a', '-f');
      assert.match(pruned, /Deleted Boxes:\n[0-9a-f]{64}\n\nDeleted Images:\nuntagged: docker.io\/a3s\/starter/);
      assert.deepEqual([await output('ps', '-aq'), await output('images', '--format', '{{.ID}}')], ['', '']);
      assert.deepEqual(await filesOfBoxes(cli.home), []);
    });
  });
});

const POLICY = '{"Name":"on-failure","MaximumRetryCount":3}\n';
