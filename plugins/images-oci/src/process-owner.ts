import { readFileSync } from 'node:fs';

/** Names a process for good: an id alone is used again after the process, a start time alone after a boot. */
export interface ProcessOwner {
  readonly pid: number;
  /** Boot id and start time; empty where the system does not tell them. */
  readonly born: string;
}

export function thisProcess(): ProcessOwner {
  return { pid: process.pid, born: birth(process.pid) ?? '' };
}

/** Whether the process still runs. Where its birth cannot be read, an id in use counts as running. */
export function isRunning(owner: ProcessOwner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const born = birth(owner.pid);
  return born === undefined || owner.born === '' || born === owner.born;
}

function birth(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Field 22; the command's name before it may hold spaces and parentheses.
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot}:${startTime}`;
  } catch {
    return undefined;
  }
}
