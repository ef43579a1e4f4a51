/** Why a VM is lost, for errors. */
import { BoxError } from '../errors/box-error.js';
import type { Vm, VmExit } from '../ports/hypervisor.js';

/** How much of the console an error carries, bytes. */
const CONSOLE_TAIL = 4096;
/** How long a VMM that closed its sockets may take to be gone. */
const REAP_LIMIT_MS = 1000;

/**
 * The error for a guest whose agent went away: the end of its VM, if it has ended.
 * @param error what the agent's connection had to say
 * @param when ends the message, for example `while it ran`
 */
export async function explainLoss(vm: Vm, error: unknown, when: string): Promise<unknown> {
  // A VMM that dies closes the agent's socket a moment before it can be reaped.
  const exit = await endSoon(vm);
  return exit ? describeCrash(vm, exit, when) : error;
}

/** How a VM ended one of whose connections was closed; undefined when it goes on. */
export function endSoon({ exited }: Pick<Vm, 'exited'>): Promise<VmExit | undefined> {
  return Promise.race([exited, aborted(AbortSignal.timeout(REAP_LIMIT_MS))]);
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

/** The error for a guest that never answered. */
export async function describeSilence(vm: Vm, limitMs: number): Promise<BoxError> {
  const consoleTail = await vm.consoleTail(CONSOLE_TAIL);
  return new BoxError('VM_START_FAILED', `the guest did not answer in ${limitMs / 1000} s`, {
    hint: consoleTail ? `console: ${lastLines(consoleTail)}` : 'its console said nothing',
    details: { consoleTail },
  });
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-5).join('\n');
}

async function describeCrash(vm: Vm, exit: VmExit, when: string): Promise<BoxError> {
  const consoleTail = await vm.consoleTail(CONSOLE_TAIL);
  const stderr = exit.kind === 'vmm-failed' ? exit.stderr : '';
  const said = [stderr && `vmm: ${lastLines(stderr)}`, consoleTail && `console: ${lastLines(consoleTail)}`];
  return new BoxError('VM_CRASHED', `the virtual machine ended ${when}: ${describeExit(exit)}`, {
    hint: said.filter(Boolean).join('\n') || 'neither the VMM nor the console said why',
    details: { exit, stderr, consoleTail },
  });
}

/** One phrase for how a VM ended. */
export function describeExit(exit: VmExit): string {
  switch (exit.kind) {
    case 'powered-off':
      return 'the guest powered off without a goodbye';
    case 'vmm-failed':
      return `the VMM failed with exit status ${exit.exitCode}`;
    case 'vmm-killed':
      return exit.outOfMemory
        ? 'the host had no memory left and killed the VMM'
        : `the VMM was killed by ${exit.signal}`;
    case 'unknown':
      return 'how is not known';
  }
}
