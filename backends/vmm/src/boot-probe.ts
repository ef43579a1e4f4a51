import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootAssets, Vm, VmSpec } from '@a3s-box/core';

/** A VM that cannot run a kernel burns a CPU for ever; one that can is done in well under this, even on a busy host. */
const DEFAULT_LIMIT_MS = 60_000;
const MEMORY_BYTES = 128 * 1024 * 1024;
/** What native/probe/init.c writes. */
const GREETING = 'a3s-box probe: guest is up';

export interface BootProbeOptions {
  /** Starts a VM, as `create` of a Hypervisor does. */
  readonly start: (spec: VmSpec, signal: AbortSignal) => Promise<Vm>;
  /** With the probe's own initramfs. */
  readonly assets: BootAssets;
  /** Absolute, short; a directory for the call is made in it. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** After this the guest counts as one that never starts, ms. */
  readonly limitMs?: number;
}

/**
 * Boots a guest that only says that it runs. Bounded; leaves nothing.
 *
 * @returns why it failed; undefined when the guest ran
 * @throws CANCELLED, and what keeps any VM from being started
 */
export async function bootProbe(options: BootProbeOptions): Promise<string | undefined> {
  const { start, assets, directory, signal, limitMs = DEFAULT_LIMIT_MS } = options;
  const own = await mkdtemp(join(directory, 'probe-'));
  const limit = AbortSignal.timeout(limitMs);
  try {
    const shape = { vcpus: 1, memoryBytes: MEMORY_BYTES, network: false, share: false };
    const vm = await start({ id: 'probe', directory: own, boot: assets, shape, disks: {} }, signal);
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
    return limit.aborted
      ? `a test guest did not start within ${limitMs / 1000} s`
      : `a test guest failed (${exit.kind})`;
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}
