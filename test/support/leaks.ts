/**
 * Finds what a test left behind: processes, mounts, loop devices, sockets, tap devices, files. All of it is recognised
 * by the run's temporary directory or by a marker in the environment that children inherit (Linux, from /proc).
 */
import { readdirSync, readFileSync, readlinkSync, existsSync } from 'node:fs';
import { join } from 'node:path';

/** Name of the environment variable that marks every process of a test run. */
export const RUN_MARKER = 'A3S_BOX_TEST_RUN';

export interface LeakScope {
  /** The run's temporary directory. */
  readonly directory: string;
  /** Value of {@link RUN_MARKER} in this run. */
  readonly marker: string;
  /** Processes that belong to the runner itself and their start is no leak. */
  readonly ignorePids: ReadonlySet<number>;
  /** Tap devices that were there before. */
  readonly tapsBefore: ReadonlySet<string>;
}

export interface Leak {
  readonly kind: 'process' | 'mount' | 'loop device' | 'socket' | 'tap' | 'file';
  readonly what: string;
  readonly pid?: number;
}

export function findLeaks(scope: LeakScope): Leak[] {
  return [
    ...leakedProcesses(scope),
    ...mountsBelow(scope.directory).map((what) => ({ kind: 'mount', what }) as const),
    ...loopDevicesOf(scope.directory).map((what) => ({ kind: 'loop device', what }) as const),
    ...socketsBelow(scope.directory).map((what) => ({ kind: 'socket', what }) as const),
    ...[...listTaps()].filter((tap) => !scope.tapsBefore.has(tap)).map((what) => ({ kind: 'tap', what }) as const),
    ...readOr(() => readdirSync(scope.directory), []).map(
      (name) => ({ kind: 'file', what: join(scope.directory, name) }) as const,
    ),
  ];
}

/** Waits, at most `limitMs`, until nothing is left: what a test ended may still be on its way out. */
export async function settleLeaks(scope: LeakScope, limitMs = 2000): Promise<Leak[]> {
  const end = Date.now() + limitMs;
  let leaks = findLeaks(scope);
  for (let pause = 5; leaks.length > 0 && Date.now() < end; pause = Math.min(pause * 2, 200)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    leaks = findLeaks(scope);
  }
  return leaks;
}

export function describeLeaks(leaks: readonly Leak[]): string {
  return leaks.map((leak) => `  ${leak.kind}: ${leak.what}`).join('\n');
}

export function listTaps(): Set<string> {
  const names = readOr(() => readdirSync('/sys/class/net'), []);
  return new Set(names.filter((name) => existsSync(`/sys/class/net/${name}/tun_flags`)));
}

function leakedProcesses(scope: LeakScope): Leak[] {
  const leaks: Leak[] = [];
  for (const entry of readOr(() => readdirSync('/proc'), [])) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || scope.ignorePids.has(pid) || pid === process.pid) continue;
    const argv = readOr(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1'), '');
    // An empty command line is a kernel thread or a process that has ended and waits to be reaped.
    if (argv !== '' && belongsTo(pid, argv, scope)) {
      leaks.push({ kind: 'process', what: commandOf(pid), pid });
    }
  }
  return leaks;
}

function belongsTo(pid: number, argv: string, { directory, marker }: LeakScope): boolean {
  const below = `${directory}/`;
  if (argv.includes(below)) return true;
  const environment = readOr(() => readFileSync(`/proc/${pid}/environ`, 'latin1'), '');
  if (environment.split('\0').includes(`${RUN_MARKER}=${marker}`)) return true;
  const links = ['cwd', 'root', ...readOr(() => readdirSync(`/proc/${pid}/fd`), []).map((fd) => `fd/${fd}`)];
  return links.some((link) => readOr(() => readlinkSync(`/proc/${pid}/${link}`), '').startsWith(below));
}

function mountsBelow(directory: string): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return mounts.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(`${directory}/`));
}

function loopDevicesOf(directory: string): string[] {
  return readOr(() => readdirSync('/sys/block'), []).filter(
    (name) =>
      name.startsWith('loop') &&
      readOr(() => readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8'), '').startsWith(`${directory}/`),
  );
}

function socketsBelow(directory: string): string[] {
  const lines = readOr(() => readFileSync('/proc/net/unix', 'utf8'), '').split('\n');
  const sockets = lines.map((line) => line.split(/\s+/)).filter((cells) => cells[7]?.startsWith(`${directory}/`));
  const found = sockets.map(([, , , , , , inode = '', path = '']) => `${path}${holderOf(`socket:[${inode}]`)}`);
  return [...new Set(found)];
}

/** Which process has something open, for messages. */
function holderOf(link: string): string {
  for (const pid of readOr(() => readdirSync('/proc'), []).filter((name) => /^\d+$/.test(name))) {
    const descriptors = readOr(() => readdirSync(`/proc/${pid}/fd`), []);
    if (!descriptors.some((fd) => readOr(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '') === link)) continue;
    if (pid === String(process.pid)) return ', open in the test process itself';
    return `, open in ${commandOf(Number(pid))}`;
  }
  return '';
}

function commandOf(pid: number): string {
  const argv = readOr(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1'), '');
  return `${pid} ${argv.replaceAll('\0', ' ').trim().slice(0, 200)}`;
}

/** The value, or `other` where the thing that is looked at is gone or not ours to look at. */
function readOr<T>(read: () => T, other: T): T {
  try {
    return read();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL', 'ENOTDIR', 'ENXIO'].includes(code ?? '')) return other;
    throw error;
  }
}
