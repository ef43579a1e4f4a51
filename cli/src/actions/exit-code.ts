import { BoxError, type ExitStatus } from '@a3s-box/core/client';
import { codeOf } from '../views/box-status.js';

/** The exit status for how a workload ended, after saying on stderr what its number does not. */
export function exitCodeOf(status: ExitStatus): number {
  const code = codeOf(status);
  if (code === undefined) {
    throw new BoxError('VM_ENDED', `how the workload ended is not known${status.reason ? `: ${status.reason}` : ''}`);
  }
  if (status.timedOut) return code;
  if (status.outOfMemory) {
    process.stderr.write('a3s-box: the workload ran out of memory\na3s-box: hint: give it more with -m\n');
  } else if (status.reason) {
    process.stderr.write(`a3s-box: ${status.reason}\n`);
  }
  return code;
}
