import { readFileSync } from 'node:fs';
import type { VmExit } from '@a3s-box/core';

/** What a VMM says of its end: who asked for it, and how (of QEMU: its SHUTDOWN event). */
export interface ShutdownEvent {
  readonly guest: boolean;
  readonly reason: string;
}

export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;
  /** Absent when the VMM did not say why it ended, or nobody listened. */
  readonly shutdown: ShutdownEvent | undefined;
  /** Whether we sent SIGKILL. */
  readonly killRequested: boolean;
  /** Whether the kernel's out-of-memory killer chose this process; asked only when it matters. */
  readonly killedForMemory: () => boolean;
}

/** Tells the ways apart in which a VMM that is our child may end. Its own exit code is 0 for a guest's panic too. */
export function vmExit(end: ProcessEnd): VmExit {
  if (end.signal !== null) {
    const outOfMemory = end.signal === 'SIGKILL' && !end.killRequested && end.killedForMemory();
    return { kind: 'vmm-killed', signal: end.signal, outOfMemory, requested: end.killRequested };
  }
  if (end.exitCode === 0 && end.shutdown?.guest === true) return { kind: 'powered-off' };
  // QEMU catches the signals that ask for an end, and exits with 0.
  if (end.exitCode === 0 && end.shutdown?.reason === 'host-signal') {
    return { kind: 'vmm-killed', signal: 'SIGTERM', outOfMemory: false, requested: end.killRequested };
  }
  return { kind: 'vmm-failed', exitCode: end.exitCode ?? -1, stderr: end.stderr };
}

/** The kernel's count of processes that it killed for lack of memory; undefined where it cannot be read. */
export function memoryKillCount(file = '/proc/vmstat'): string | undefined {
  try {
    return /^oom_kill ([0-9]+)$/m.exec(readFileSync(file, 'latin1'))?.[1];
  } catch (error) {
    // Other systems than Linux do not count.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether the kernel's log says that it killed this process for lack of memory. @param log as of /dev/kmsg */
export function logTellsMemoryKill(log: string, pid: number): boolean {
  return new RegExp(`Killed process ${pid} \\(`).test(log);
}
