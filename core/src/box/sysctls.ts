import { BoxError } from '../errors/box-error.js';

/** Parameters of an IPC namespace, which each container has of its own. */
const IPC: readonly string[] = [
  ...['kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax'],
  ...['kernel.shmmni', 'kernel.shm_rmid_forced'],
];
const NAME = /^[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)+$/;

export interface SplitSysctls {
  /** Of the container's namespaces. */
  readonly container: Readonly<Record<string, string>>;
  /** Of the network stack, which the VM has one of. */
  readonly guest: Readonly<Record<string, string>>;
}

/** Where each parameter is to be set. */
export function splitSysctls(sysctls: Readonly<Record<string, string>> = {}): SplitSysctls {
  const entries = Object.entries(sysctls);
  return {
    container: Object.fromEntries(entries.filter(([name]) => !name.startsWith('net.'))),
    guest: Object.fromEntries(entries.filter(([name]) => name.startsWith('net.'))),
  };
}

/** As in Docker, those of a container's namespaces alone. @throws INVALID_ARGUMENT */
export function checkSysctls(sysctls: Readonly<Record<string, string>> = {}): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const known = IPC.includes(name) || name.startsWith('fs.mqueue.') || name.startsWith('net.');
    if (!known || !NAME.test(name)) {
      throw new BoxError('INVALID_ARGUMENT', `kernel parameter "${name}" is not one that a box can set`, {
        hint: `give one of net.*, fs.mqueue.*, ${IPC.join(', ')}`,
      });
    }
    if (/[\0\n]/.test(value) || value === '') {
      throw new BoxError('INVALID_ARGUMENT', `kernel parameter "${name}" has no usable value`, {
        hint: 'give NAME=VALUE, one line',
      });
    }
  }
}
