import { totalmem, release } from 'node:os';
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { isBoxError, type BootAssets, type HypervisorProbe, type Operation, type Vm, type VmSpec } from '@a3s-box/core';
import {
  impairedIn,
  KRUN_CAPABILITIES,
  startVm,
  type KrunMachine,
  type KrunProbe,
  type KrunProbeResult,
} from '@a3s-box/libkrun';
import { kvmGroups, probeVirtualisation, type KvmProbeOptions as KvmDevice } from '@a3s-box/native';
import { bootProbe, throwIfCancelled, type ProbeCache } from '@a3s-box/vmm';
import { findLibkrun, kernelObstacle, kvmObstacle } from './obstacles.js';

const NAME = 'libkrun-kvm';
const DEVICE = '/dev/kvm';
const SUBJECT = `probe of ${NAME}`;
const MIB = 1024 * 1024;
/** Below this the kernel has no room beside its own image. */
const MIN_MEMORY_BYTES = 64 * MIB;
/** Tried with this kernel up to here. */
const MAX_VCPUS = 32;

export interface KvmProbeOptions {
  readonly cache: ProbeCache;
  /** Absolute path of a directory for the boot probe's files. */
  readonly directory: string;
  /** The kernel with an initramfs that holds the probe's init. Asked for only when a boot probe runs. */
  readonly probeAssets: (operation: Operation) => Promise<BootAssets>;
  /** Absolute path of libkrunfw, whose kernel is booted; undefined where there is none. */
  readonly libkrunfw: string | undefined;
  /** Absolute path of the libkrun to use instead of the one that is found. */
  readonly libkrun?: string;
  /** Whether guests may run virtual machines of their own. Default: not. */
  readonly nested?: boolean;
  /** Another device and processor, in tests. */
  readonly kvm?: KvmDevice;
}

/** Finds out once per process whether libkrun runs guests on this machine's KVM. */
export class KvmProbe implements KrunProbe {
  #result: KrunProbeResult | undefined;

  constructor(private readonly options: KvmProbeOptions) {}

  async probe({ signal }: Operation): Promise<KrunProbeResult> {
    throwIfCancelled(signal, SUBJECT);
    if (this.#result !== undefined) return this.#result;
    try {
      const result = await this.#probe(signal);
      // An unusable machine may become usable: a package is installed, a device gets its rights.
      if (result.answer.usable) this.#result = result;
      return result;
    } catch (error) {
      throwIfCancelled(signal, SUBJECT);
      throw error;
    }
  }

  async #probe(signal: AbortSignal): Promise<KrunProbeResult> {
    if (process.platform !== 'linux') return unusable('this backend runs on Linux only; use the one of your system');
    const found = findLibkrun(this.options.libkrun);
    if ('obstacle' in found) return unusable(found.obstacle);
    const { path, version } = found.libkrun;
    const obstacle = kvmObstacle(probeVirtualisation(this.options.kvm));
    if (obstacle !== undefined) return unusable(obstacle, version);
    const { nested = false } = this.options;
    const machine = { library: path, devices: [DEVICE], groups: kvmGroups(), nested };
    const failure = await this.#bootFailure(machine, signal);
    return failure === undefined ? usable(machine, version) : unusable(failure, version);
  }

  /** Some hosts offer a KVM on which no ordinary kernel ever gets anywhere. */
  async #bootFailure(machine: KrunMachine, signal: AbortSignal): Promise<string | undefined> {
    const { cache, directory, probeAssets, libkrunfw } = this.options;
    try {
      const obstacle = kernelObstacle(libkrunfw);
      if (obstacle !== undefined) return obstacle;
      const assets = await probeAssets({ signal });
      const { ino, size, mtimeMs } = statSync(machine.library);
      const key = [
        release(),
        machine.library,
        machine.nested,
        ino,
        size,
        mtimeMs,
        // Their names tell what they are made from; another home has the same ones.
        basename(assets.kernel),
        basename(assets.initramfs),
      ].join(' ');
      const known = cache.get('libkrun-boot', key);
      const start = (spec: VmSpec, stop: AbortSignal): Promise<Vm> => startVm({ backend: NAME, spec, machine }, stop);
      const failure =
        typeof known === 'string' ? known : ((await bootProbe({ start, assets, directory, signal })) ?? '');
      if (known === undefined) await cache.set('libkrun-boot', key, failure);
      return failure === '' ? undefined : `KVM does not run an ordinary kernel: ${failure}`;
    } catch (error) {
      if (signal.aborted || !isBoxError(error)) throw error;
      const hint = error.hint === undefined ? '' : ` (${error.hint})`;
      return `libkrun could not be tried: ${error.message}${hint}`;
    }
  }
}

function answerOf(
  version: string | undefined,
): Pick<HypervisorProbe, 'capabilities' | 'impaired' | 'limits' | 'version'> {
  const maxMemoryBytes = Math.floor(totalmem() / MIB) * MIB;
  return {
    capabilities: KRUN_CAPABILITIES,
    ...impairedIn(version),
    limits: { maxVcpus: MAX_VCPUS, minMemoryBytes: MIN_MEMORY_BYTES, maxMemoryBytes },
    ...(version === undefined ? {} : { version }),
  };
}

function unusable(reason: string, version?: string): KrunProbeResult {
  return { answer: { usable: false, reason, acceleration: 'none', ...answerOf(version) } };
}

function usable(machine: KrunMachine, version: string | undefined): KrunProbeResult {
  const name = version === undefined ? 'libkrun' : `libkrun ${version}`;
  const reason = `${name} with KVM, on which a test guest started`;
  return {
    answer: { usable: true, reason, acceleration: 'hardware', accelerator: 'kvm', ...answerOf(version) },
    machine,
  };
}
