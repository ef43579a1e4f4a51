import assert from 'node:assert/strict';
import { capabilitiesOf } from '../../../dist/box/capability-set.js';
import type { ContainerOptions } from '../../../dist/box/container-options.js';
import { DEFAULT_PROFILE } from '../../../dist/box/seccomp/default-profile.js';
import { parseProfile } from '../../../dist/box/seccomp/parse-profile.js';
import { resolveProfile } from '../../../dist/box/seccomp/resolve-profile.js';

type Architecture = 'amd64' | 'arm64';

function resolved(options: ContainerOptions, architecture: Architecture = 'amd64') {
  return resolveProfile(DEFAULT_PROFILE, { capabilities: new Set(capabilitiesOf(options)), architecture });
}

/** Whether a call is allowed whatever its arguments are. */
function allows(name: string, options: ContainerOptions = {}, architecture: Architecture = 'amd64'): boolean {
  return resolved(options, architecture).syscalls.some(
    ({ names, action, args }) => action === 'SCMP_ACT_ALLOW' && !args && names.includes(name),
  );
}

describe('the default seccomp profile', () => {
  it('refuses with EPERM what it does not name, each call once in its list', () => {
    const { defaultAction, defaultErrnoRet, syscalls } = resolved({});
    assert.deepEqual([defaultAction, defaultErrnoRet], ['SCMP_ACT_ERRNO', 1]);
    const [{ names } = { names: [] }] = syscalls;
    assert.equal(new Set(names).size, names.length);
    // Of moby v28.2: 360 calls without a condition, and three that a kernel of 4.8 or newer may have.
    assert.ok(names.length > 350, String(names.length));
  });

  it('allows what ordinary programs do, and nothing that changes the system', () => {
    for (const name of [
      'read',
      'execve',
      'ptrace',
      'openat2',
      'mseal',
      'futex_wait',
      'fchmodat2',
      'landlock_create_ruleset',
    ])
      assert.ok(allows(name), name);
    for (const name of [
      'mount',
      'unshare',
      'setns',
      'bpf',
      'reboot',
      'init_module',
      'kexec_load',
      'swapon',
      'add_key',
      'keyctl',
    ])
      assert.ok(!allows(name), name);
    for (const name of ['io_uring_setup', 'userfaultfd', 'settimeofday', 'perf_event_open', 'open_by_handle_at'])
      assert.ok(!allows(name), name);
  });

  it('goes with the capabilities', () => {
    assert.ok(allows('mount', { capAdd: ['SYS_ADMIN'] }) && allows('clone3', { capAdd: ['SYS_ADMIN'] }));
    assert.ok(allows('clock_settime', { capAdd: ['SYS_TIME'] }));
    assert.ok(allows('chroot') && !allows('chroot', { capDrop: ['SYS_CHROOT'] }));
    assert.ok(allows('bpf', { capAdd: ['BPF'] }) && !allows('mount', { capAdd: ['BPF'] }));
  });

  it('lets clone make threads but no namespaces, and says that there is no clone3', () => {
    const { syscalls } = resolved({});
    assert.deepEqual(
      syscalls
        .filter(({ names }) => names.includes('clone') || names.includes('clone3'))
        .map(({ action, args, errnoRet }) => ({ action, ...(args && { args }), ...(errnoRet && { errnoRet }) })),
      [
        { action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] },
        { action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
      ],
    );
  });

  it('names the calls and the kin of the processor', () => {
    assert.deepEqual(resolved({}).architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    assert.deepEqual(resolved({}, 'arm64').architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
    assert.ok(allows('arch_prctl') && !allows('arch_prctl', {}, 'arm64'));
    assert.ok(allows('sync_file_range2', {}, 'arm64') && !allows('sync_file_range2'));
  });
});

describe('a profile of the user', () => {
  const parse = (profile: object | string) =>
    parseProfile(typeof profile === 'string' ? profile : JSON.stringify(profile));

  it('is read in Docker’s form, with what its rules depend on', () => {
    const profile = parse({
      defaultAction: 'SCMP_ACT_ALLOW',
      archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: null }],
      syscalls: [
        { name: 'chmod', action: 'SCMP_ACT_ERRNO', args: [], comment: 'old form', includes: {}, excludes: {} },
        { names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 13, excludes: { caps: ['CAP_CHOWN'] } },
        { names: ['rmdir'], action: 'SCMP_ACT_ERRNO', includes: { minKernel: '4.8', arches: ['amd64'] } },
        { names: ['sync'], action: 'SCMP_ACT_ERRNO', includes: { minKernel: '99.0' } },
      ],
    });
    const { syscalls } = resolveProfile(profile, { capabilities: new Set(['CAP_CHOWN']), architecture: 'amd64' });
    assert.deepEqual(syscalls, [
      { names: ['chmod'], action: 'SCMP_ACT_ERRNO' },
      { names: ['rmdir'], action: 'SCMP_ACT_ERRNO' },
    ]);
  });

  it('keeps arguments of 64 bits', () => {
    const profile = parse(
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_LOG","args":[{"index":1,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]}',
    );
    assert.equal(profile.syscalls[0]?.args?.[0]?.value, 2n ** 64n - 1n);
  });

  it('is refused by the path of what is wrong', () => {
    const good = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] };
    const rule = (change: object) => ({ ...good, syscalls: [{ names: ['x'], action: 'SCMP_ACT_LOG', ...change }] });
    const wrong: [object | string, RegExp][] = [
      ['{', /seccomp profile is not JSON/],
      ['[]', /seccomp profile is not an object/],
      [{ syscalls: [] }, /seccomp profile: defaultAction is not a text/],
      [{ ...good, listenerPath: '/x' }, /seccomp profile has listenerPath, which is not supported/],
      [{ ...good, architectures: [], archMap: [] }, /both architectures and archMap/],
      [rule({ names: [1] }), /syscalls\[0\]\.names\[0\] is not a text/],
      [rule({ errnoRet: -1 }), /syscalls\[0\]\.errnoRet is not a whole number/],
      [
        rule({ args: [{ index: 0, value: 1.5, op: 'SCMP_CMP_EQ' }] }),
        /syscalls\[0\]\.args\[0\]\.value is not a number/,
      ],
      [rule({ includes: { minKernel: 'new' } }), /includes\.minKernel "new" is not a version/],
      [rule({ frob: 1 }), /syscalls\[0\] has frob/],
      [' '.repeat(1_000_001), /longer than/],
    ];
    for (const [profile, message] of wrong) assert.throws(() => parse(profile), { code: 'INVALID_ARGUMENT', message });
  });
});
