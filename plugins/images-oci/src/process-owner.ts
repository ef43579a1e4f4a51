import { readFileSync } from 'node:fs';

/** Names a process for good: an id alone is used again after the process, a start time alone after a boot. */
export interface ProcessOwner {
  readonly pid: number;
  /** Boot id and start time; empty where the system does not tell them. */
  readonly born: string;
}

export function thisProcess(): ProcessOwner {
  return { pid: process.pid, born: birth(process.pid)?.born ?? '' };
}

/** Whether the process still runs. Where its birth cannot be read, an id in use counts as running. */
export function isRunning(owner: ProcessOwner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const found = birth(owner.pid);
  // Ended, and only its parent has not noticed: it holds nothing any more.
  if (found?.ended === true) return false;
  return found === undefined || owner.born === '' || found.born === owner.born;
}

function birth(pid: number): { readonly born: string; readonly ended: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Fields 3 and 22; the command's name before them may hold spaces and parentheses.
    const { 0: state = '', 19: startTime } = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return { born: `${boot}:${startTime}`, ended: 'ZX'.includes(state) };
  } catch {
    return undefined;
  }
}
