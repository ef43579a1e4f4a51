import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootAssets } from '@a3s-box/core';
import { startVm, type Machine } from './vm-start.js';

/** A VM that cannot run a kernel burns a CPU for ever; one that can is done in well under this, even on a busy host. */
const LIMIT_MS = 20_000;
const MEMORY_BYTES = 128 * 1024 * 1024;
/** What native/probe/init.c writes. */
const GREETING = 'a3s-box probe: guest is up';

/**
 * Boots a guest that only says that it runs. Bounded; leaves nothing.
 *
 * @param assets with the probe's own initramfs @param directory absolute, short; a directory for the call is made in it
 * @returns why it failed; undefined when the guest ran
 * @throws CANCELLED, and what keeps any VM from being started
 */
export async function bootProbe(
  machine: Machine,
  assets: BootAssets,
  directory: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const own = await mkdtemp(join(directory, 'probe-'));
  const limit = AbortSignal.timeout(LIMIT_MS);
  try {
    const shape = { vcpus: 1, memoryBytes: MEMORY_BYTES, network: false, share: false };
    const vm = await startVm({ id: 'probe', directory: own, boot: assets, shape, disks: {} }, machine, signal);
    const stop = (): void => void vm.kill();
    const either = AbortSignal.any([limit, signal]);
    either.addEventListener('abort', stop, { once: true });
    if (either.aborted) stop();
    const exit = await vm.exited;
    either.removeEventListener('abort', stop);
    signal.throwIfAborted();
    const greeted = (await vm.consoleTail(4096)).includes(GREETING);
    await vm.close();
    if (greeted && exit.kind === 'powered-off') return undefined;
    return limit.aborted ? `a test guest did not start within ${LIMIT_MS / 1000} s` : `a test guest failed (${exit.kind})`;
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}
