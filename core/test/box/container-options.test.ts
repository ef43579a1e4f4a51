import { checkMounts } from '../../dist/box/container-mounts.js';
import { settleMounts } from '../../dist/volumes/volume-mount.js';
import assert from 'node:assert/strict';
import { checkBoxSpec, sizingOf, type BoxSpec } from '../../dist/box/box-spec.js';
import { containerFiles } from '../../dist/box/container-files.js';
import { containerOptionsFrom, containerOptionsTo } from '../../dist/box/container-option-messages.js';
import { changedResources, checkChangeable } from '../../dist/box/container-limits.js';
import { stopTimeoutOf, type ContainerOptions } from '../../dist/box/container-options.js';
import { compileExecProcess, compileOciConfig, encodeDocument } from '../../dist/box/oci-config.js';
import { ContainerOptions as Message } from '../../dist/gen/a3s/box/supervisor/v1/container_options.js';

const MIB = 2 ** 20;
const image = { env: [], exposedPorts: [], volumes: [], labels: {} };

const spec = (options: ContainerOptions, change: Partial<BoxSpec> = {}): BoxSpec => ({
  image: 'img',
  command: ['x'],
  environment: [],
  terminal: false,
  stdinOpen: false,
  autoRemove: false,
  labels: {},
  options,
  ...change,
});

interface Config {
  readonly process: Record<string, unknown> & { capabilities: { effective: string[] } };
  readonly root: { readonly readonly: boolean };
  readonly mounts: { destination: string; type: string; options: string[] }[];
  readonly domainname?: string;
  readonly init?: boolean;
  readonly annotations?: object;
  readonly linux: Record<string, unknown>;
}

/** As the guest gets it. */
function compiled(options: ContainerOptions, change: Partial<BoxSpec> = {}): Config {
  return JSON.parse(encodeDocument(compileOciConfig(spec(options, change), image, 'h')).toString()) as Config;
}

describe('container options', () => {
  it('leave a box that asks for none as it is, with the default profile', () => {
    const { process, root, linux, mounts } = compiled({});
    assert.equal(root.readonly, false);
    assert.equal(process['noNewPrivileges'], false);
    assert.equal((linux['maskedPaths'] as string[]).length, 12);
    assert.ok(linux['seccomp']);
    assert.deepEqual(linux['resources'], {});
    assert.ok(mounts.find(({ destination }) => destination === '/dev/shm')?.options.includes('size=67108864'));
  });

  it('confine', () => {
    const { process, root } = compiled({ readOnly: true, capDrop: ['ALL'], securityOptions: ['no-new-privileges'] });
    assert.deepEqual([root.readonly, process.capabilities.effective, process['noNewPrivileges']], [true, [], true]);
    const { linux } = compiled({ securityOptions: ['seccomp=unconfined', 'systempaths=unconfined'] });
    assert.deepEqual([linux['seccomp'], linux['maskedPaths'], linux['readonlyPaths']], [undefined, [], []]);
  });

  it('take nothing away from a privileged box, but what is asked for', () => {
    const { process, linux, mounts } = compiled({ privileged: true });
    assert.equal(process.capabilities.effective.length, 41);
    assert.deepEqual(
      [linux['seccomp'], linux['maskedPaths'], linux['resources']],
      [undefined, [], { devices: [{ allow: true }] }],
    );
    assert.ok(!mounts.find(({ destination }) => destination === '/sys')?.options.includes('ro'));
    assert.ok(compiled({ privileged: true, securityOptions: ['seccomp=default'] }).linux['seccomp']);
  });

  it('limit', () => {
    const { process, linux } = compiled({
      ulimits: [
        { name: 'nofile', soft: 1024, hard: -1 },
        { name: 'core', soft: 0, hard: 0 },
      ],
      ...{ oomScoreAdj: -5, pidsLimit: -1, cpuShares: 512, cpuQuotaUs: 150_000, cpuPeriodUs: 50_000 },
      ...{ cpusetCpus: '0-2', cpusetMems: '0', memoryReservationBytes: 64 * MIB },
    });
    assert.deepEqual(process['rlimits'], [
      // JSON.parse rounds what the text has whole.
      { type: 'RLIMIT_NOFILE', soft: 1024, hard: Number(2n ** 64n - 1n) },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
    ]);
    assert.equal(process['oomScoreAdj'], -5);
    assert.deepEqual(linux['resources'], {
      cpu: { quota: 150_000, period: 50_000, shares: 512, cpus: '0-2', mems: '0' },
      memory: { reservation: 64 * MIB },
      pids: { limit: -1 },
    });
    const text = encodeDocument(compileOciConfig(spec({ ulimits: [{ name: 'cpu', soft: -1, hard: -1 }] }), image, 'h'));
    assert.match(text.toString(), /"soft":18446744073709551615,"hard":18446744073709551615/);
  });

  it('give the VM the CPUs that a quota takes', () => {
    assert.equal(sizingOf(spec({ cpuQuotaUs: 150_000 })).vcpus, 2);
    assert.equal(sizingOf(spec({ cpuQuotaUs: 150_000, cpuPeriodUs: 50_000 })).vcpus, 3);
    assert.equal(sizingOf(spec({ cpuQuotaUs: -1 })).vcpus, 1);
  });

  it('mount nothing where a volume is', () => {
    const at = (target: string) => [{ kind: 'volume', source: 'v', target, readOnly: false } as const];
    assert.throws(() => checkMounts({ tmpfs: { '/a/': '' } }, at('/a')), { message: /two mounts are on "\/a"/ });
    checkMounts({ tmpfs: { '/a': '' } }, at('/a/b'));
    const image = { volumes: ['/a', '/b'] };
    const settled = settleMounts([], image, () => 'drawn', ['/a/']);
    assert.deepEqual(
      settled.map(({ target }) => target),
      ['/b'],
    );
  });

  it('mount what is asked for, outer directories first, in the place of what is there', () => {
    const { mounts } = compiled({
      tmpfs: { '/a/b/c': '', '/a/': 'size=1m,exec,mode=700', '/dev/shm': 'size=1k' },
      tmpfsMounts: [{ target: '/a/b', readOnly: true, sizeBytes: 4096, mode: 0o1770 }],
    });
    const own = mounts.slice(-4).map(({ destination, options }) => [destination, options.join()]);
    assert.deepEqual(own, [
      ['/a', 'nosuid,noexec,nodev,size=1m,exec,mode=700'],
      ['/dev/shm', 'nosuid,noexec,nodev,size=1k,mode=1777'],
      ['/a/b', 'nosuid,noexec,nodev,ro,size=4096,mode=1770'],
      ['/a/b/c', 'nosuid,noexec,nodev,mode=1777'],
    ]);
    assert.equal(mounts.filter(({ destination }) => destination === '/dev/shm').length, 1);
  });

  it('set up names, groups, parameters and the rest', () => {
    const { process, linux, init, annotations, domainname } = compiled({
      ...{ init: true, annotations: { a: 'b' }, domainName: 'example.org', groups: ['tty', '77'] },
      sysctls: { 'kernel.msgmax': '9000', 'net.ipv4.ip_forward': '1' },
    });
    assert.deepEqual([init, annotations, domainname], [true, { a: 'b' }, 'example.org']);
    assert.deepEqual((process['user'] as { additionalGroups: string[] }).additionalGroups, ['tty', '77']);
    assert.deepEqual(linux['sysctl'], { 'kernel.msgmax': '9000' });
  });

  it('go into /etc/hosts and /etc/resolv.conf', () => {
    const options = {
      ...{ extraHosts: ['foo:1.2.3.4', 'six:[fd00::1]'], nameServers: ['9.9.9.9', 'fd00::53'], domainName: 'd.org' },
      ...{ searchDomains: ['a.b', 'c'], resolverOptions: ['ndots:3', 'rotate'] },
    };
    const files = new Map(
      containerFiles('h', undefined, options).map(({ path, content }) => [path, Buffer.from(content).toString()]),
    );
    assert.match(files.get('/etc/hosts') ?? '', /^1\.2\.3\.4\tfoo\nfd00::1\tsix\n127\.0\.1\.1\th\.d\.org h\n$/m);
    assert.equal(
      files.get('/etc/resolv.conf'),
      'nameserver 9.9.9.9\nnameserver fd00::53\nsearch a.b c\noptions ndots:3 rotate\n',
    );
    const [, , plain] = containerFiles('h', undefined, { searchDomains: ['.'] });
    assert.equal(Buffer.from(plain!.content).toString(), '');
  });

  it('of the box hold for its execs; a privileged one has all capabilities', () => {
    const request = { args: ['x'], environment: [], terminal: false };
    const box = spec({ groups: ['tty'] });
    assert.deepEqual(compileExecProcess(request, box, image, 'h').user.additionalGroups, ['tty']);
    assert.equal(compileExecProcess(request, box, image, 'h').capabilities, undefined);
    const privileged = compileExecProcess({ ...request, privileged: true }, box, image, 'h');
    assert.equal(privileged.capabilities?.effective.length, 41);
  });

  it('come back from the protocol as they went', () => {
    const options: ContainerOptions = {
      ...{
        init: true,
        readOnly: true,
        privileged: true,
        capAdd: ['A'],
        capDrop: ['B'],
        securityOptions: ['seccomp=x'],
      },
      tmpfs: { '/a': '' },
      tmpfsMounts: [{ target: '/b' }, { target: '/c', readOnly: true, sizeBytes: 1, mode: 0 }],
      ...{
        shmBytes: 4096,
        pidsLimit: -1,
        cpuShares: 2,
        cpuQuotaUs: -1,
        cpuPeriodUs: 1000,
        cpusetCpus: '0',
        cpusetMems: '0',
      },
      ulimits: [{ name: 'nofile', soft: 0, hard: -1 }],
      ...{
        memoryReservationBytes: 2 ** 40,
        memorySwapBytes: 2 ** 41,
        sysctls: { a: 'b' },
        groups: ['g'],
        oomScoreAdj: -1000,
      },
      ...{ stopTimeoutMs: 0, nameServers: ['1.1.1.1'], searchDomains: ['.'], resolverOptions: ['rotate'] },
      ...{ extraHosts: ['a:1.1.1.1'], annotations: { c: 'd' }, domainName: 'e' },
    };
    const sent = Message.decode(Message.encode(containerOptionsTo(options)).finish());
    assert.deepEqual(containerOptionsFrom(sent), options);
    assert.equal(containerOptionsFrom(Message.create({})), undefined);
    assert.equal(containerOptionsFrom(undefined), undefined);
  });

  it('say how long a stop waits', () => {
    assert.deepEqual([stopTimeoutOf(), stopTimeoutOf({ stopTimeoutMs: 0 })], [10_000, 0]);
  });
});

describe('container options that are wrong', () => {
  const wrong: [ContainerOptions, RegExp, Partial<BoxSpec>?][] = [
    [{ capAdd: ['X'] }, /capability "X"/],
    [{ securityOptions: ['frob=1'] }, /security option "frob=1" is not known/],
    [{ securityOptions: ['no-new-privileges=maybe'] }, /neither true nor false/],
    [{ securityOptions: ['seccomp={'] }, /seccomp profile is not JSON/],
    [{ tmpfs: { a: '' } }, /mount point "a" is not an absolute path/],
    [{ tmpfs: { '/a/../b': '' } }, /not an absolute path/],
    [{ tmpfs: { '/': '' } }, /the root of the container/],
    [{ tmpfs: { '/proc/x': '' } }, /the kernel's own/],
    [{ tmpfs: { '/a': 'frob' } }, /option "frob" of the tmpfs on \/a/],
    [{ tmpfs: { '/a': 'size=x' } }, /option "size=x"/],
    [{ tmpfs: { '/a': '' }, tmpfsMounts: [{ target: '/a/' }] }, /two mounts are on "\/a"/],
    [{ tmpfsMounts: [{ target: '/a', mode: 0o10000 }] }, /mode 4096/],
    [{ shmBytes: 1 }, /size of \/dev\/shm/],
    [{ ulimits: [{ name: 'as', soft: 1, hard: 1 }] }, /resource limit "as"/],
    [{ ulimits: [{ name: 'cpu', soft: 2, hard: 1 }] }, /above its ceiling/],
    [{ ulimits: [{ name: 'cpu', soft: -1, hard: 1 }] }, /above its ceiling/],
    [{ ulimits: [{ name: 'cpu', soft: -2, hard: 1 }] }, /-2 is not a limit/],
    [{ ulimits: [1, 2].map((soft) => ({ name: 'cpu', soft, hard: 9 })) }, /given twice/],
    [{ pidsLimit: -2 }, /limit of -2 processes/],
    [{ cpuShares: 1 }, /CPU shares of 1/],
    [{ cpuPeriodUs: 10 }, /CPU period of 10/],
    [{ cpuQuotaUs: 10 }, /CPU quota of 10/],
    [{ cpuQuotaUs: 2000 }, /number of CPUs and a quota/, { nanoCpus: 1e9 }],
    [{ cpusetCpus: '0-x' }, /"0-x" is not a list/],
    [{ cpusetCpus: '0,1' }, /"0,1" names more than there is: the box has 1 CPUs/],
    [{ cpusetMems: '1' }, /the box has 1 memory node/],
    [{ memoryReservationBytes: 2 ** 40 }, /memory reservation/],
    [{ memorySwapBytes: MIB }, /less than the box's memory/],
    [{ oomScoreAdj: 1001 }, /out-of-memory score 1001/],
    [{ sysctls: { 'kernel.panic': '1' } }, /kernel parameter "kernel.panic"/],
    [{ sysctls: { 'net..x': '1' } }, /kernel parameter "net..x"/],
    [{ sysctls: { 'net.x': '' } }, /no usable value/],
    [{ groups: ['a b'] }, /group "a b"/],
    [{ nameServers: ['ns.example'] }, /name server "ns.example" is not an address/],
    [{ searchDomains: ['a b'] }, /search domain "a b"/],
    [{ resolverOptions: ['x\ny'] }, /resolver option/],
    [{ extraHosts: ['a:b'] }, /host entry "a:b" has no valid address/],
    [{ extraHosts: ['a\n1.1.1.1 b:1.1.1.1'] }, /no valid name/],
    [{ domainName: '-' }, /domain name "-"/],
    [{ annotations: { '': 'x' } }, /annotation ""/],
  ];
  for (const [options, message, change = {}] of wrong) {
    it(`are refused: ${JSON.stringify(options)}`, () => {
      assert.throws(() => checkBoxSpec(spec(options, change)), { code: 'INVALID_ARGUMENT', message, hint: /\w/ });
    });
  }

  const unsupported: [ContainerOptions, RegExp][] = [
    [
      { securityOptions: ['apparmor=x'] },
      /security option "apparmor" is not supported: the guest's kernel has no AppArmor/,
    ],
    [{ securityOptions: ['label=disable'] }, /"label" is not supported/],
    [{ securityOptions: ['writable-cgroups=true'] }, /"writable-cgroups" is not supported/],
    [{ memorySwapBytes: -1 }, /swap is not supported: the guest's kernel has none/],
    [{ memorySwapBytes: 2 ** 40 }, /swap is not supported/],
    [{ extraHosts: ['a:host-gateway'] }, /does not reach its host/],
  ];
  for (const [options, message] of unsupported) {
    it(`are refused by name: ${JSON.stringify(options)}`, () => {
      assert.throws(() => checkBoxSpec(spec(options)), { code: 'UNSUPPORTED', message, hint: /\w/ });
    });
  }
});

describe('limits that change', () => {
  it('are those that control groups keep, and no other options', () => {
    const limits = { cpuShares: 512, cpusetCpus: '0', pidsLimit: -1, memoryReservationBytes: MIB, memorySwapBytes: -1 };
    assert.deepEqual(checkChangeable(limits), limits);
    for (const other of [{ shmBytes: MIB }, { privileged: true }, { cpuShares: 512, ulimits: [] }]) {
      assert.throws(() => checkChangeable(other), { code: 'UNSUPPORTED', message: /cannot be changed/ });
    }
  });

  it('become resources with what they belong together with', () => {
    assert.deepEqual(changedResources({ cpuQuotaUs: 20_000 }, { cpuQuotaUs: 20_000, cpuPeriodUs: 50_000 }), {
      cpu: { quota: 20_000, period: 50_000 },
    });
    assert.deepEqual(changedResources({ cpuPeriodUs: 50_000 }, { cpuPeriodUs: 50_000 }), {
      cpu: { quota: -1, period: 50_000 },
    });
    const limits = { cpuShares: 2, cpusetMems: '0', pidsLimit: 5, memoryReservationBytes: MIB, memorySwapBytes: MIB };
    assert.deepEqual(changedResources(limits, { ...limits, cpuQuotaUs: 5000 }), {
      cpu: { shares: 2, mems: '0' },
      memory: { reservation: MIB },
      pids: { limit: 5 },
    });
    assert.deepEqual(changedResources({}, { cpuQuotaUs: 5000 }), {});
  });
});
