import { release, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  isBoxError,
  type BootAssets,
  type ForeignProbe,
  type GuestArchitecture,
  type HypervisorCapability,
  type HypervisorProbe,
  type Operation,
  type Vm,
  type VmLimits,
  type VmSpec,
} from '@a3s-box/core';
import { bootProbe, kvmObstacle, throwIfCancelled, type ProbeCache } from '@a3s-box/vmm';
import type { Accelerator } from './machine-options.js';
import { findForeignQemu, findQemu, qemuVersion, type QemuBinary } from './qemu-binary.js';
import { templateFingerprint } from './template-record.js';
import { measureTscKhz } from './tsc-frequency.js';
import { QEMU_CAPABILITIES, startVm, type Machine } from './vm-start.js';

const MIB = 1024 * 1024;
const SUBJECT = 'probe of qemu';
/** Below this the kernel has no room beside its own image. */
const MIN_MEMORY_BYTES = 64 * MIB;
/** Tried with this kernel up to here. */
const MAX_VCPUS = 32;
/** The same for a processor that is not the host's. */
const FOREIGN_MIN_MEMORY_BYTES = 128 * MIB;
const FOREIGN_MAX_VCPUS = 4;
/** A clone's clock has to be one that goes on (docs/adr/0013), which was made sure of for the host's processor alone. */
const FOREIGN_CAPABILITIES: ReadonlySet<HypervisorCapability> = new Set(
  [...QEMU_CAPABILITIES].filter((capability) => capability !== 'templates'),
);

export interface AccelerationProbeOptions {
  readonly cache: ProbeCache;
  /** Absolute path of a directory for the boot probe's files. */
  readonly directory: string;
  /** The kernel with an initramfs that holds the probe's init. Asked for only when a boot probe runs. */
  readonly probeAssets: (operation: Operation) => Promise<BootAssets>;
  /** Absolute path of the QEMU to use instead of the system's. */
  readonly qemu?: string;
  readonly accelerator: 'auto' | 'kvm' | 'tcg';
}

export interface ProbeResult {
  readonly answer: HypervisorProbe;
  /** For guests of the host's architecture; present when the answer is usable. */
  readonly machine?: Machine;
  /** For others; present when {@link HypervisorProbe.foreign} is usable. */
  readonly foreign?: Machine;
}

type ForeignResult = {
  readonly architecture: GuestArchitecture;
  readonly answer: ForeignProbe;
  readonly foreign?: Machine;
};

/** Finds out once per process how this machine can run guests. */
export class AccelerationProbe {
  #result: ProbeResult | undefined;
  #foreign: ForeignResult | undefined;

  constructor(private readonly options: AccelerationProbeOptions) {}

  /** @throws CANCELLED when the signal fires */
  async probe({ signal }: Operation): Promise<ProbeResult> {
    throwIfCancelled(signal, SUBJECT);
    try {
      const result = this.#result ?? (await this.#probe(signal));
      // An unusable machine may become usable: a package is installed, a device gets its rights.
      if (result.answer.usable) this.#result = result;
      if (process.platform !== 'linux') return result;
      this.#foreign ??= await this.#probeForeign(signal);
      const { architecture, answer, ...machine } = this.#foreign;
      if (!answer.usable) this.#foreign = undefined;
      return { ...result, ...machine, answer: { ...result.answer, foreign: { [architecture]: answer } } };
    } catch (error) {
      throwIfCancelled(signal, SUBJECT);
      throw error;
    }
  }

  async #probe(signal: AbortSignal): Promise<ProbeResult> {
    if (process.platform !== 'linux') return unusable('this backend runs on Linux only; use the one of your system');
    const binary = findQemu(this.options.qemu);
    if (binary === undefined)
      return unusable('qemu-system-x86_64 is not installed (Debian: apt install qemu-system-x86)');
    const version = await this.#cached('version', binary.identity, () => qemuVersion(binary, signal));
    if (version === undefined) return unusable(`${binary.path} does not tell its version`);
    const obstacle = await this.#kvmObstacle(binary, version, signal);
    if (obstacle === undefined) return hardware(binary, version);
    if (this.options.accelerator === 'kvm') return unusable(`kvm was asked for, but ${obstacle}`, version);
    const tscKhz = await this.#cached('tsc-khz', bootId(), measureTscKhz);
    return emulation(binary, version, obstacle, tscKhz);
  }

  /** Guests of the architecture that is not the host's. */
  async #probeForeign(signal: AbortSignal): Promise<ForeignResult> {
    const architecture = process.arch === 'arm64' ? 'amd64' : 'arm64';
    if (architecture === 'amd64') return noForeign(architecture, 'no x86 processor is emulated on this host');
    if (this.options.accelerator === 'kvm') {
      return noForeign(architecture, `kvm was asked for, and runs no ${architecture} guest here`);
    }
    const binary = findForeignQemu();
    if (binary === undefined) {
      return noForeign(architecture, 'qemu-system-aarch64 is not installed (Debian: apt install qemu-system-arm)');
    }
    const version = await this.#cached('foreign-version', binary.identity, () => qemuVersion(binary, signal));
    if (version === undefined) return noForeign(architecture, `${binary.path} does not tell its version`);
    const foreign = machineOf(binary, version, { kind: 'foreign', architecture });
    const answer: ForeignProbe = {
      usable: true,
      reason: `QEMU ${version} with software emulation, because the host's processor is another one`,
      version,
      acceleration: 'emulation',
      accelerator: 'tcg',
      capabilities: FOREIGN_CAPABILITIES,
      limits: { ...limits(), minMemoryBytes: FOREIGN_MIN_MEMORY_BYTES, maxVcpus: FOREIGN_MAX_VCPUS },
    };
    return { architecture, answer, foreign };
  }

  async #kvmObstacle(binary: QemuBinary, version: string, signal: AbortSignal): Promise<string | undefined> {
    if (this.options.accelerator === 'tcg') return 'the settings ask for emulation';
    const obstacle = kvmObstacle();
    if (obstacle !== undefined) return obstacle;
    try {
      const assets = await this.options.probeAssets({ signal });
      // The kernel's name tells what it is made from; another home has the same one.
      const key = `${release()} ${version} ${binary.identity} ${basename(assets.kernel)}`;
      const failure = await this.#cached('kvm-boot', key, async () => {
        const machine = machineOf(binary, version, { kind: 'kvm' });
        const start = (spec: VmSpec, stop: AbortSignal): Promise<Vm> => startVm(spec, machine, stop);
        return (await bootProbe({ start, assets, directory: this.options.directory, signal })) ?? '';
      });
      return failure === '' ? undefined : `kvm does not run an ordinary kernel: ${failure}`;
    } catch (error) {
      if (signal.aborted || !isBoxError(error)) throw error;
      return `kvm could not be tried: ${error.message}`;
    }
  }

  async #cached<T extends string | number | undefined>(
    question: string,
    key: string,
    ask: () => Promise<T>,
  ): Promise<T> {
    const known = this.options.cache.get(question, key);
    if (known !== undefined) return known as T;
    const answer = await ask();
    if (answer !== undefined) await this.options.cache.set(question, key, answer);
    return answer;
  }
}

function limits(): VmLimits {
  return { maxVcpus: MAX_VCPUS, minMemoryBytes: MIN_MEMORY_BYTES, maxMemoryBytes: Math.floor(totalmem() / MIB) * MIB };
}

/** Changes with every boot of the host, and with it possibly the counter's frequency. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

function unusable(reason: string, version?: string): ProbeResult {
  const answer: HypervisorProbe = {
    usable: false,
    reason,
    acceleration: 'none',
    capabilities: QEMU_CAPABILITIES,
    limits: limits(),
    ...(version === undefined ? {} : { version }),
  };
  return { answer };
}

function noForeign(architecture: GuestArchitecture, reason: string): ForeignResult {
  return { architecture, answer: unusable(reason).answer };
}

function machineOf(binary: QemuBinary, version: string, accelerator: Accelerator): Machine {
  return { binary, accelerator, fingerprint: templateFingerprint({ binary, accelerator }, version) };
}

function hardware(binary: QemuBinary, version: string): ProbeResult {
  const machine = machineOf(binary, version, { kind: 'kvm' });
  const answer: HypervisorProbe = {
    usable: true,
    reason: `QEMU ${version} with KVM, on which a test guest started`,
    version,
    acceleration: 'hardware',
    accelerator: 'kvm',
    capabilities: QEMU_CAPABILITIES,
    limits: limits(),
    fingerprint: machine.fingerprint,
  };
  return { answer, machine };
}

function emulation(binary: QemuBinary, version: string, obstacle: string, tscKhz: number): ProbeResult {
  const machine = machineOf(binary, version, { kind: 'tcg', tscKhz });
  const answer: HypervisorProbe = {
    usable: true,
    reason: `QEMU ${version} with software emulation, because ${obstacle}`,
    version,
    acceleration: 'emulation',
    accelerator: 'tcg',
    capabilities: QEMU_CAPABILITIES,
    limits: limits(),
    fingerprint: machine.fingerprint,
  };
  return { answer, machine };
}
