import { BoxError } from '../errors/box-error.js';
import { isKernels, normalPath, type OciMount } from '../volumes/volume-mount.js';
import { DEFAULT_SHM_BYTES, type ContainerOptions, type TmpfsMount } from './container-options.js';

const SHM = '/dev/shm';
/** What Docker gives a tmpfs that says nothing else. */
const TMPFS_DEFAULTS = ['nosuid', 'noexec', 'nodev'] as const;
const TMPFS_FLAGS: readonly string[] = [
  ...['ro', 'rw', 'suid', 'nosuid', 'dev', 'nodev', 'exec', 'noexec', 'atime', 'noatime', 'relatime', 'strictatime'],
  ...['diratime', 'nodiratime'],
];
const TMPFS_VALUES: Readonly<Record<string, RegExp>> = {
  size: /^\d+[kmg%]?$/i,
  mode: /^[0-7]{1,4}$/,
  uid: /^\d+$/,
  gid: /^\d+$/,
  nr_inodes: /^\d+[kmg]?$/i,
  nr_blocks: /^\d+[kmg]?$/i,
};

/** The mounts of a container: what every one has, then the user's, outer ones first. A mount of the user's replaces one at its place. */
export function containerMounts(options: ContainerOptions): readonly OciMount[] {
  const own = [
    ...Object.entries(options.tmpfs ?? {}).map(([path, given]) => tmpfsMount(path, splitOptions(given))),
    ...(options.tmpfsMounts ?? []).map((mount) => tmpfsMount(mount.target, optionsOf(mount))),
  ].sort((one, other) => depth(one.destination) - depth(other.destination));
  const taken = new Set(own.map(({ destination }) => destination));
  return [...usualMounts(options).filter(({ destination }) => !taken.has(destination)), ...own];
}

/** @param volumes of the same box @throws INVALID_ARGUMENT */
export function checkMounts(
  { tmpfs = {}, tmpfsMounts = [] }: ContainerOptions,
  volumes: readonly { readonly target: string }[] = [],
): void {
  const taken = new Set(volumes.map(({ target }) => normalPath(target)));
  for (const [path, given] of Object.entries(tmpfs)) {
    checkTarget(path, taken);
    for (const option of splitOptions(given)) checkTmpfsOption(path, option);
  }
  for (const { target, mode } of tmpfsMounts) {
    checkTarget(target, taken);
    if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= 0o7777)) {
      fail(`mode ${mode} of the tmpfs on ${target} is not one`, 'give permission bits such as 1770');
    }
  }
}

function checkTarget(path: string, taken: Set<string>): void {
  const what = `mount point "${path}"`;
  const plain = path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..');
  if (!plain) fail(`${what} is not an absolute path`, 'give a path that starts with "/", without ".."');
  const normal = normalPath(path);
  if (normal === '/')
    fail(`${what} is the root of the container`, 'name a directory below it; --read-only protects the root');
  if (isKernels(normal)) fail(`${what} is the kernel's own`, 'name another directory');
  if (taken.has(normal)) fail(`two mounts are on "${normal}"`, 'leave one out');
  taken.add(normal);
}

function checkTmpfsOption(path: string, option: string): void {
  if (TMPFS_FLAGS.includes(option)) return;
  const [name = '', value = ''] = option.split('=', 2);
  if (Object.hasOwn(TMPFS_VALUES, name) && TMPFS_VALUES[name]?.test(value) === true) return;
  fail(
    `option "${option}" of the tmpfs on ${path} is not valid`,
    `give ${Object.keys(TMPFS_VALUES).join('=, ')}=, or a flag such as ro or exec`,
  );
}

function splitOptions(given: string): string[] {
  return given === '' ? [] : given.split(',');
}

function optionsOf({ readOnly, sizeBytes, mode }: TmpfsMount): string[] {
  return [
    ...(readOnly === true ? ['ro'] : []),
    ...(sizeBytes === undefined ? [] : [`size=${sizeBytes}`]),
    ...(mode === undefined ? [] : [`mode=${mode.toString(8)}`]),
  ];
}

/** What is given last of two that contradict each other counts. */
function tmpfsMount(path: string, options: readonly string[]): OciMount {
  const mode = options.some((option) => option.startsWith('mode=')) ? [] : ['mode=1777'];
  const destination = normalPath(path);
  return { destination, type: 'tmpfs', source: 'tmpfs', options: [...TMPFS_DEFAULTS, ...options, ...mode] };
}

function depth(path: string): number {
  return path.split('/').length;
}

function usualMounts({ shmBytes = DEFAULT_SHM_BYTES, privileged }: ContainerOptions): OciMount[] {
  const writable = privileged === true ? [] : ['ro'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    {
      destination: SHM,
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${shmBytes}`],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', ...writable] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: ['nosuid', 'noexec', 'nodev', 'relatime', ...writable],
    },
  ];
}

function fail(message: string, hint: string): never {
  throw new BoxError('INVALID_ARGUMENT', message, { hint });
}

/** Places of the mounts that options ask for. */
export function tmpfsTargets({ tmpfs = {}, tmpfsMounts = [] }: ContainerOptions): string[] {
  return [...Object.keys(tmpfs), ...tmpfsMounts.map(({ target }) => target)];
}
