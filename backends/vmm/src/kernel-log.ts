import { closeSync, constants, openSync, readSync } from 'node:fs';

/** Larger than any record of /dev/kmsg. */
const RECORD_BYTES = 8192;

/**
 * The kernel's log as it stands. Empty where this user may not read it.
 */
export function readKernelLog(): string {
  let descriptor: number;
  try {
    descriptor = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    // Not readable for users on most systems: what it would have told stays untold.
    return '';
  }
  try {
    return readRecords(descriptor).join('');
  } finally {
    closeSync(descriptor);
  }
}

function readRecords(descriptor: number): string[] {
  const records: string[] = [];
  const buffer = Buffer.alloc(RECORD_BYTES);
  for (;;) {
    try {
      records.push(buffer.toString('latin1', 0, readSync(descriptor, buffer)));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EPIPE') continue; // The record was overwritten before it was read; the next read goes on.
      if (code === 'EAGAIN') return records;
      throw error;
    }
  }
}
