import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BoxCli, type Outcome } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';
const MIB = 2 ** 20;

interface Inspected {
  readonly Id: string;
  readonly Config: Record<string, unknown>;
  readonly HostConfig: Record<string, unknown>;
}

/** A shell script that prints what each command does under a name. */
const script = (commands: Readonly<Record<string, string>>): string =>
  Object.entries(commands)
    .map(([name, command]) => `echo '== ${name}'; { ${command}\n} 2>&1`)
    .join('\n');

/** What they printed, by name. */
function sections({ stdout, stderr }: Outcome): Map<string, string> {
  const parts = stdout
    .toString()
    .split(/^== (.*)\n/m)
    .slice(1);
  assert.ok(parts.length > 0, stderr);
  return new Map(parts.flatMap((name, index) => (index % 2 === 0 ? [[name, (parts[index + 1] ?? '').trimEnd()]] : [])));
}

const STATUS = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status";
const statusOf = (text = ''): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/^(\w+):\s*(\w+)$/gm)].map(([, name, value]) => [name, value]));

describe('container options', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  const run = (options: readonly string[], commands: Readonly<Record<string, string>>) =>
    cli.run(['run', ...options, IMAGE, 'sh', '-c', script(commands)]);

  async function inspect(box: string): Promise<Inspected> {
    const { stdout, stderr } = await cli.run(['inspect', box]);
    const [found] = JSON.parse(stdout.toString() || '[]') as Inspected[];
    assert.ok(found, stderr);
    return found;
  }

  it('are not needed to be confined as in Docker', async () => {
    const found = sections(
      await run(['--rm'], {
        status: STATUS,
        unshare: 'unshare -m true',
        mount: 'mount -t tmpfs none /tmp',
        keys: 'cat /proc/kcore /sys/firmware/* | wc -c',
        sysctl: 'echo 1 > /proc/sys/kernel/panic',
      }),
    );
    assert.deepEqual(statusOf(found.get('status')), {
      ...{ CapInh: '0'.repeat(16), CapPrm: '00000000a80425fb', CapEff: '00000000a80425fb' },
      ...{ CapBnd: '00000000a80425fb', CapAmb: '0'.repeat(16), NoNewPrivs: '0', Seccomp: '2' },
    });
    assert.match(found.get('unshare') ?? '', /Operation not permitted/);
    assert.match(found.get('mount') ?? '', /permission denied|not permitted/i);
    assert.equal(found.get('keys')?.split('\n').at(-1), '0');
    assert.match(found.get('sysctl') ?? '', /Read-only file system/);
  });

  describe('of a box that has many', () => {
    let found: Map<string, string>;
    let box: Inspected;
    let created: Inspected;
    let trace: string;
    let idFile: string;

    before(async () => {
      const labels = join(cli.home, 'labels');
      idFile = join(cli.home, 'many.id');
      trace = join(cli.home, 'many.trace');
      writeFileSync(labels, '# a comment\nfrom=file\nboth=file\nbare\n');
      const options = [
        ...['--init', '--read-only', '--tmpfs', '/scratch:size=1m,mode=1770,exec', '--shm-size', '8m'],
        ...['--mount', 'type=tmpfs,target=/mem,tmpfs-size=2m,tmpfs-mode=700', '--mount', 'type=tmpfs,dst=/mem/ro,ro'],
        ...['--cap-add', 'NET_ADMIN', '--cap-drop', 'chown', '--security-opt', 'no-new-privileges'],
        ...['--ulimit', 'nofile=100:200', '--ulimit', 'core=0', '--pids-limit', '50', '--cpu-shares', '512'],
        ...['--memory-reservation', '64m', '--memory-swap', '512m', '--oom-score-adj', '7', '--stop-timeout', '3'],
        ...[
          '--sysctl',
          'net.ipv4.ip_forward=1',
          '--sysctl',
          'kernel.msgmax=9000',
          '--group-add',
          'tty',
          '--group-add',
          '77',
        ],
        ...['--dns', '9.9.9.9', '--dns-search', 'a.b', '--dns-option', 'ndots:3', '--add-host', 'foo:1.2.3.4'],
        ...['--domainname', 'example.org', '--annotation', 'a=b', '--label-file', labels, '-l', 'both=flag'],
      ];
      const outcome = await run(['--name', 'many', '--cidfile', idFile, '--trace', trace, ...options], {
        status: STATUS,
        root: 'touch /a; grep " / " /proc/mounts',
        tmpfs:
          'grep " /scratch " /proc/mounts; printf "#!/bin/sh\necho executed" > /scratch/x; chmod +x /scratch/x; /scratch/x',
        full: 'dd if=/dev/zero of=/scratch/full bs=1M count=2',
        mount: 'grep " /mem" /proc/mounts; touch /mem/ro/x',
        shm: 'grep " /dev/shm " /proc/mounts',
        limits: 'ulimit -n; ulimit -Hn; ulimit -c',
        chown: 'chown 1 /scratch/full',
        net: 'ip link set lo mtu 1400 && ip link show lo',
        cgroup: 'cd /sys/fs/cgroup; cat pids.max cpu.weight memory.low; grep -E "^Swap(Total|Free)" /proc/meminfo',
        oom: 'cat /proc/self/oom_score_adj',
        sysctl: 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax',
        groups: 'id -G',
        names: 'cat /etc/resolv.conf /etc/hosts; cat /proc/sys/kernel/domainname',
        first: 'cat /proc/1/comm; readlink /proc/1/exe; ls -l /init /sbin/docker-init',
        // The child of a child that has gone is the first process's to reap.
        orphans: 'sh -c "sleep 0.1 & exec true"; sleep 0.5; ps -o stat,comm | grep -c "^Z" ; true',
        // Last, for they stay.
        pids: '(for i in $(seq 60); do sleep 3 & done) && echo all',
      });
      found = sections(outcome);
      box = await inspect('many');
      const made = await cli.run(['create', '--name', 'made', ...options, IMAGE, 'true']);
      assert.equal(made.code, 0, made.stderr);
      created = await inspect('made');
    });

    const section = (name: string): string => found.get(name) ?? '';
    const hostConfig = (name: string): unknown => {
      assert.deepEqual(created.HostConfig[name], box.HostConfig[name], 'create kept something else');
      return box.HostConfig[name];
    };

    it('use what was made ahead for an ordinary box', () => {
      const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8')) as { traceEvents: { name: string }[] };
      assert.ok(
        traceEvents.some(({ name }) => name === 'wake spare'),
        traceEvents.map(({ name }) => name).join(),
      );
    });

    it('keeps the root from being written [run --read-only]', () => {
      assert.match(section('root'), /touch: \/a: Read-only file system\noverlay \/ overlay ro,/);
      assert.equal(hostConfig('ReadonlyRootfs'), true);
    });

    it('gives and takes capabilities, and acts by them [run --cap-add, run --cap-drop]', () => {
      const { CapEff, CapBnd } = statusOf(section('status'));
      assert.deepEqual([CapEff, CapBnd], ['00000000a80435fa', '00000000a80435fa']);
      assert.match(section('chown'), /Operation not permitted/);
      assert.match(section('net'), /mtu 1400/);
      assert.deepEqual([hostConfig('CapAdd'), hostConfig('CapDrop')], [['NET_ADMIN'], ['chown']]);
    });

    it('grants no new privileges [run --security-opt]', () => {
      assert.equal(statusOf(section('status'))['NoNewPrivs'], '1');
      assert.deepEqual(hostConfig('SecurityOpt'), ['no-new-privileges']);
    });

    it('has file systems in memory, of their size and mode [run --tmpfs, run --mount]', () => {
      assert.match(
        section('tmpfs'),
        /^tmpfs \/scratch tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=1770 .*\nexecuted$/,
      );
      assert.match(section('full'), /No space left on device/);
      assert.match(section('mount'), /^tmpfs \/mem tmpfs rw,nosuid,nodev,noexec,relatime,size=2048k,mode=700 /m);
      assert.match(section('mount'), /touch: \/mem\/ro\/x: Read-only file system/);
      assert.deepEqual(hostConfig('Tmpfs'), { '/scratch': 'size=1m,mode=1770,exec' });
      assert.deepEqual(hostConfig('Mounts'), [
        { Type: 'tmpfs', Target: '/mem', ReadOnly: false, TmpfsOptions: { SizeBytes: 2 * MIB, Mode: 0o700 } },
        { Type: 'tmpfs', Target: '/mem/ro', ReadOnly: true, TmpfsOptions: {} },
      ]);
    });

    it('has as much shared memory as was asked for [run --shm-size]', () => {
      assert.match(section('shm'), /size=8192k/);
      assert.equal(hostConfig('ShmSize'), 8 * MIB);
    });

    it('has limits of resources [run --ulimit]', () => {
      assert.equal(section('limits'), '100\n200\n0');
      assert.deepEqual(hostConfig('Ulimits'), [
        { Name: 'nofile', Hard: 200, Soft: 100 },
        { Name: 'core', Hard: 0, Soft: 0 },
      ]);
    });

    it('has limits of control groups [run --pids-limit, run --cpu-shares, run --memory-reservation]', () => {
      assert.deepEqual(section('cgroup').split('\n').slice(0, 3), ['50', '59', String(64 * MIB)]);
      assert.match(section('pids'), /can't fork|Resource temporarily unavailable/);
      assert.doesNotMatch(section('pids'), /^all$/m);
      assert.deepEqual(
        [hostConfig('PidsLimit'), hostConfig('CpuShares'), hostConfig('MemoryReservation')],
        [50, 512, 64 * MIB],
      );
    });

    it('has no swap [run --memory-swap]', async () => {
      assert.match(section('cgroup'), /SwapTotal: +0 kB\nSwapFree: +0 kB$/);
      assert.equal(hostConfig('MemorySwap'), 512 * MIB);
      const more = await cli.run(['run', '--memory-swap', '1g', IMAGE, 'true']);
      assert.deepEqual([more.code, /swap is not supported/.test(more.stderr)], [125, true], more.stderr);
    });

    it('is killed for lack of memory sooner or later than others [run --oom-score-adj]', () => {
      assert.equal(section('oom'), '7');
      assert.equal(hostConfig('OomScoreAdj'), 7);
    });

    it('has kernel parameters of its own and of its network [run --sysctl]', () => {
      assert.equal(section('sysctl'), '1\n9000');
      assert.deepEqual(hostConfig('Sysctls'), { 'kernel.msgmax': '9000', 'net.ipv4.ip_forward': '1' });
    });

    it('has further groups, by name and by number [run --group-add]', () => {
      assert.equal(section('groups'), '0 5 77');
      assert.deepEqual(hostConfig('GroupAdd'), ['tty', '77']);
    });

    it('resolves names as it was told [run --dns, run --dns-search, run --dns-option, run --add-host]', () => {
      assert.match(section('names'), /^nameserver 9\.9\.9\.9\nsearch a\.b\noptions ndots:3\n/);
      assert.match(section('names'), /^1\.2\.3\.4\tfoo$/m);
      assert.deepEqual(['Dns', 'DnsSearch', 'DnsOptions', 'ExtraHosts'].map(hostConfig), [
        ['9.9.9.9'],
        ['a.b'],
        ['ndots:3'],
        ['foo:1.2.3.4'],
      ]);
    });

    it('has a domain name [run --domainname]', () => {
      assert.match(section('names'), /\t[0-9a-f]{12}\.example\.org [0-9a-f]{12}\nexample\.org$/);
      assert.equal(box.Config['Domainname'], 'example.org');
    });

    it('runs below an init that is not the image’s, and that reaps [run --init]', () => {
      const [comm, exe, ...files] = section('first').split('\n');
      assert.deepEqual([comm, exe], ['a3s-box-init', '/init']);
      assert.ok(
        files.every((line) => line.includes('No such file')),
        files.join(),
      );
      assert.equal(section('orphans'), '0');
      assert.equal(hostConfig('Init'), true);
    });

    it('is shown with its labels, the command line’s over those of files, and annotations [run --label-file, run --annotation, run --label]', () => {
      assert.deepEqual(box.Config['Labels'], { from: 'file', both: 'flag', bare: '' });
      assert.deepEqual(created.Config['Labels'], box.Config['Labels']);
      assert.deepEqual(hostConfig('Annotations'), { a: 'b' });
    });

    it('has its id in a file [run --cidfile]', () => assert.equal(readFileSync(idFile, 'utf8'), box.Id));

    it('is shown with how long it may take to stop', () => {
      assert.equal(box.Config['StopTimeout'], 3);
      assert.equal(created.Config['StopTimeout'], 3);
    });
  });

  it('divide the CPUs of the VM [run --cpu-quota, run --cpu-period, run --cpuset-cpus, run --cpuset-mems], and have a disk of their size [run --storage-opt]', async () => {
    const options = [
      '--cpu-quota',
      '75000',
      '--cpu-period',
      '50000',
      '--cpuset-cpus',
      '1',
      '--cpuset-mems',
      '0',
      '--storage-opt',
      'size=64m',
    ];
    const found = sections(
      await run(['--name', 'cpus', '-m', '256m', ...options], {
        disk: 'df -m / | tail -1',
        full: 'dd if=/dev/zero of=/full bs=1M count=64 2>&1; wc -c </full; rm /full',
        quota: 'cat /sys/fs/cgroup/cpu.max',
        allowed: 'grep -E "^(Cpus|Mems)_allowed_list" /proc/self/status; nproc; grep -c ^processor /proc/cpuinfo',
      }),
    );
    const megabytes = Number(/^\S+\s+(\d+)/.exec(found.get('disk') ?? '')?.[1]);
    assert.ok(megabytes > 55 && megabytes <= 64, found.get('disk'));
    assert.match(found.get('full') ?? '', /No space left on device/);
    assert.ok(Number(found.get('full')?.split('\n').at(-1)) > 50 * 2 ** 20, found.get('full'));
    assert.equal(found.get('quota'), '75000 50000');
    assert.equal(found.get('allowed'), 'Cpus_allowed_list:\t1\nMems_allowed_list:\t0\n1\n2');
    const { HostConfig } = await inspect('cpus');
    assert.deepEqual(
      ['CpuQuota', 'CpuPeriod', 'CpusetCpus', 'CpusetMems'].map((name) => HostConfig[name]),
      [75000, 50000, '1', '0'],
    );
    const beyond = await cli.run(['run', '--cpuset-cpus', '0-3', IMAGE, 'true']);
    assert.deepEqual([beyond.code, /the box has 1 CPUs/.test(beyond.stderr)], [125, true], beyond.stderr);
  });

  it('take every confinement but the VM away [run --privileged]', async () => {
    const found = sections(
      await run(['--rm', '--privileged'], {
        status: STATUS,
        mount: 'mount -t tmpfs none /tmp && unshare -m true && echo mounted',
        device: 'mknod /disk b 254 0 && dd if=/disk of=/dev/null bs=512 count=1 && echo read',
        masks: 'grep -cE " (/proc/kcore|/proc/sys|/sys/firmware) " /proc/mounts; grep " /sys " /proc/mounts',
      }),
    );
    const { CapEff, Seccomp } = statusOf(found.get('status'));
    assert.deepEqual([CapEff, Seccomp], ['000001ffffffffff', '0']);
    assert.equal(found.get('mount'), 'mounted');
    assert.match(found.get('device') ?? '', /^read$/m);
    assert.match(found.get('masks') ?? '', /^0\nsysfs \/sys sysfs rw,/);
  });

  it('change the filter of system calls', async () => {
    const profile = join(cli.home, 'profile.json');
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 };
    writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }));
    const commands = {
      status: STATUS,
      mkdir: 'mkdir /tmp/x && echo made',
      masks: 'grep -c " /proc/kcore " /proc/mounts',
    };
    const own = sections(await run(['--rm', '--security-opt', `seccomp=${profile}`], commands));
    assert.match(own.get('mkdir') ?? '', /Permission denied/);
    assert.equal(own.get('masks'), '1');
    const none = ['--security-opt', 'seccomp=unconfined', '--security-opt', 'systempaths=unconfined'];
    const open = sections(await run(['--rm', ...none], commands));
    assert.deepEqual(
      [statusOf(open.get('status'))['Seccomp'], open.get('mkdir'), open.get('masks')],
      ['0', 'made', '0'],
    );
    writeFileSync(profile, '{"defaultAction":"SCMP_ACT_FROB","syscalls":[]}');
    const wrong = await run(['--rm', '--security-opt', `seccomp=${profile}`], commands);
    assert.deepEqual([wrong.code, /SCMP_ACT_FROB/.test(wrong.stderr)], [125, true], wrong.stderr);
  });

  describe('of a box that goes on', () => {
    before(async () => {
      const ignoring = 'trap "" TERM; echo up; while :; do sleep 1; done';
      const options = ['--init', '--stop-timeout', '1', '--group-add', '77'];
      const { code, stderr } = await cli.run(['run', '-d', '--name', 'on', ...options, IMAGE, 'sh', '-c', ignoring]);
      assert.equal(code, 0, stderr);
    });

    it('hold for more commands, but for one that is privileged [exec --privileged]', async () => {
      const plain = sections(await cli.run(['exec', 'on', 'sh', '-c', script({ status: STATUS, groups: 'id -G' })]));
      assert.deepEqual([statusOf(plain.get('status'))['CapEff'], plain.get('groups')], ['00000000a80425fb', '0 77']);
      const privileged = sections(
        await cli.run(['exec', '--privileged', 'on', 'sh', '-c', script({ status: STATUS })]),
      );
      const { CapEff, CapBnd, Seccomp } = statusOf(privileged.get('status'));
      assert.deepEqual([CapEff, CapBnd, Seccomp], ['000001ffffffffff', '000001ffffffffff', '2']);
    });

    it('can be given another share of a CPU [update --cpu-quota, update --cpu-period]', async () => {
      const update = async (...flags: string[]) => {
        const { code, stderr } = await cli.run(['update', ...flags, 'on']);
        const { stdout } = await cli.run(['exec', 'on', 'cat', '/sys/fs/cgroup/cpu.max']);
        return [code, stdout.toString(), stderr];
      };
      assert.deepEqual(await update('--cpu-quota', '40000', '--cpu-period', '50000'), [0, '40000 50000\n', '']);
      assert.deepEqual(await update('--cpu-quota', '20000'), [0, '20000 50000\n', '']);
      const [code, limit, message] = await update('--cpu-quota', '150000');
      assert.deepEqual([code, limit], [1, '20000 50000\n']);
      assert.match(String(message), /has 1 CPUs while it runs/);
      assert.deepEqual(await update('--cpu-quota', '-1'), [0, 'max 50000\n', '']);
    });

    it('say how long a stop and a restart wait [run --stop-timeout]', async () => {
      for (const command of ['restart', 'stop']) {
        const begin = performance.now();
        assert.equal((await cli.run([command, 'on'])).code, 0);
        const took = performance.now() - begin;
        assert.ok(took >= 1000 && took < 9000, `${command}: ${took} ms`);
      }
      const { stdout } = await cli.run(['wait', 'on']);
      assert.equal(stdout.toString(), '137\n');
    });
  });

  it('keep the statuses of a command below an init', async () => {
    const status = async (...command: string[]) => (await cli.run(['run', '--rm', '--init', IMAGE, ...command])).code;
    assert.equal(await status('no-such-command'), 127);
    assert.equal(await status('/tmp'), 126);
    assert.equal(await status('sh', '-c', 'kill -TERM $$'), 143);
    const { code } = await cli.run(['run', '--rm', '--init', IMAGE, 'sh', '-c', 'echo up; exec sleep 60'], {
      started: (child) => child.stdout?.once('data', () => child.kill('SIGTERM')),
    });
    assert.equal(code, 143);
  });
});
