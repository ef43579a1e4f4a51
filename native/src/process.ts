import { readFileSync } from 'node:fs';
import { addon, type ProcessHandle } from './addon.js';

/** How a system tells when a process began; the text is its own and only compared. */
export type StartTimes = (pid: number) => string | undefined;

/** Where another system than the one that runs is asked, in tests. */
export interface ProcessQuestions {
  readonly platform: NodeJS.Platform;
  /** What the addon answers on macOS and Windows. */
  readonly ofAddon: StartTimes;
}

const HERE: ProcessQuestions = { platform: process.platform, ofAddon: (pid) => addon().processStartTime(pid) };

/**
 * Start time of a process; with the id it names a process for good. Linux: field 22 of /proc/PID/stat, clock ticks since boot.
 * macOS: `SECONDS.MICROSECONDS` since 1970. Windows: 100 ns since 1601.
 *
 * @returns undefined when there is no such process
 */
export function processStartTime(pid: number, { platform, ofAddon }: ProcessQuestions = HERE): string | undefined {
  return platform === 'linux' ? linuxStartTime(pid) : ofAddon(pid);
}

function linuxStartTime(pid: number): string | undefined {
  const stat = readStat(pid);
  // The command name in parentheses may itself hold blanks and parentheses; what follows the last one is fixed.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}

/**
 * Opens a process so that its end is seen and signals reach no other one.
 *
 * @returns undefined when no process has that id and start time. The caller closes the handle.
 */
export function openProcess(pid: number, startTime: string): ProcessHandle | undefined {
  let handle: ProcessHandle;
  try {
    handle = new (addon().ProcessHandle)(pid);
  } catch (error) {
    if ((error as { errno?: number }).errno === ESRCH) return undefined;
    throw error;
  }
  // Read after opening: if it is right now, the descriptor cannot be of a later process with the same id.
  if (processStartTime(pid) === startTime) return handle;
  handle.close();
  return undefined;
}

const ESRCH = 3;
