import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** Processes that hold a file of this directory open or name it on their command line: `PID COMMAND`. Linux, /proc. */
export function processesOf(directory: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(entry) || Number(entry) === process.pid) continue;
    const commandLine = readOr(() => readFileSync(`/proc/${entry}/cmdline`, 'latin1'), '');
    const descriptors = readOr(() => readdirSync(`/proc/${entry}/fd`), []);
    const links = descriptors.map((number) => readOr(() => readlinkSync(`/proc/${entry}/fd/${number}`), ''));
    if (commandLine.includes(directory) || links.some((link) => link.startsWith(`${directory}/`))) {
      found.push(`${entry} ${commandLine.replaceAll('\0', ' ').slice(0, 80)}`);
    }
  }
  return found;
}

/** Waits until no process has this id, a zombie neither; a moment at most, for its parent may have to be told first. */
export async function processGone(pid: number, limitMs = 1000): Promise<boolean> {
  const end = Date.now() + limitMs;
  while (existsSync(`/proc/${pid}`)) {
    if (Date.now() > end) return false;
    await setImmediate();
  }
  return true;
}

/** What is looked at may be gone by then. */
function readOr<T>(read: () => T, other: T): T {
  try {
    return read();
  } catch {
    return other;
  }
}
