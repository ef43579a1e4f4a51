import { statSync } from 'node:fs';
import { basename } from 'node:path';
import {
  isBoxError,
  type BootAssets,
  type HypervisorCapability,
  type HypervisorProbe,
  type Operation,
  type Vm,
  type VmSpec,
} from '@a3s-box/core';
import type { Libkrun } from '@a3s-box/native';
import { bootProbe, throwIfCancelled, type ProbeCache } from '@a3s-box/vmm';
import type { FoundLibkrun } from './found-libkrun.js';
import { impairedIn } from './impaired.js';
import type { KrunHost, KrunMachine } from './krun-host.js';
import { startVm, type KrunProbe, type KrunProbeResult } from './krun-hypervisor.js';

const MIB = 1024 * 1024;
/** Below this the kernel has no room beside its own image. */
const MIN_MEMORY_BYTES = 64 * MIB;

/** What a system offers to libkrun, as values and questions, so that any of it can be another one. */
export interface KrunSystem {
  /** The host interface, for example `hvf`, and what its users call it. */
  readonly accelerator: string;
  readonly title: string;
  readonly capabilities: ReadonlySet<HypervisorCapability>;
  /** Changes with everything else that decides whether a guest boots, for example the system's version. */
  readonly fingerprint: string;
  /** Bytes. */
  readonly memoryBytes: number;
  /** What keeps guests from running here, and what would change it; asked before libkrun is looked for. */
  obstacle(): string | undefined;
  findLibkrun(): FoundLibkrun;
  /** The path at which libkrun is loaded. @throws BoxError */
  settle(libkrun: Libkrun): Promise<string>;
  maxVcpus(): number;
}

export interface SystemProbeOptions {
  readonly name: string;
  readonly system: KrunSystem;
  readonly host: KrunHost;
  readonly cache: ProbeCache;
  /** Absolute path of a directory for the boot probe's files. */
  readonly directory: string;
  /** The kernel with an initramfs that holds the probe's init. Asked for only when a boot probe runs. */
  readonly probeAssets: (operation: Operation) => Promise<BootAssets>;
}

/** Finds out once per process whether libkrun runs guests on a system. */
export class SystemProbe implements KrunProbe {
  #result: KrunProbeResult | undefined;

  constructor(private readonly options: SystemProbeOptions) {}

  async probe({ signal }: Operation): Promise<KrunProbeResult> {
    const subject = `probe of ${this.options.name}`;
    throwIfCancelled(signal, subject);
    if (this.#result !== undefined) return this.#result;
    try {
      const result = await this.#probe(signal);
      // An unusable machine may become usable: a package is installed, a feature is switched on.
      if (result.answer.usable) this.#result = result;
      return result;
    } catch (error) {
      throwIfCancelled(signal, subject);
      throw error;
    }
  }

  async #probe(signal: AbortSignal): Promise<KrunProbeResult> {
    const { system } = this.options;
    const obstacle = system.obstacle();
    if (obstacle !== undefined) return this.#unusable(obstacle);
    const found = system.findLibkrun();
    if ('obstacle' in found) return this.#unusable(found.obstacle);
    const { version } = found.libkrun;
    const tried = await this.#try(found.libkrun, signal);
    return 'failure' in tried ? this.#unusable(tried.failure, version) : this.#usable(tried.machine, version);
  }

  async #try(libkrun: Libkrun, signal: AbortSignal): Promise<{ machine: KrunMachine } | { failure: string }> {
    const { system, cache, directory, probeAssets, name, host } = this.options;
    try {
      const machine = { library: await system.settle(libkrun), devices: [], groups: [], nested: false };
      const assets = await probeAssets({ signal });
      const { ino, size, mtimeMs } = statSync(machine.library);
      // Their names tell what they are made from; another home has the same ones.
      const boot = [basename(assets.kernel), basename(assets.initramfs)];
      const key = [system.fingerprint, machine.library, ino, size, mtimeMs, ...boot].join(' ');
      const start = (spec: VmSpec, stop: AbortSignal): Promise<Vm> =>
        startVm({ backend: name, spec, machine, host }, stop);
      const known = cache.get('libkrun-boot', key);
      const failure =
        typeof known === 'string' ? known : ((await bootProbe({ start, assets, directory, signal })) ?? '');
      if (known === undefined) await cache.set('libkrun-boot', key, failure);
      return failure === '' ? { machine } : { failure: `${system.title} does not run a guest: ${failure}` };
    } catch (error) {
      if (signal.aborted || !isBoxError(error)) throw error;
      const hint = error.hint === undefined ? '' : ` (${error.hint})`;
      return { failure: `libkrun could not be tried: ${error.message}${hint}` };
    }
  }

  #unusable(reason: string, version?: string): KrunProbeResult {
    return { answer: { usable: false, reason, acceleration: 'none', ...this.#answer(version) } };
  }

  #usable(machine: KrunMachine, version: string | undefined): KrunProbeResult {
    const { title, accelerator } = this.options.system;
    const name = version === undefined ? 'libkrun' : `libkrun ${version}`;
    const reason = `${name} with ${title}, on which a test guest started`;
    return {
      answer: { usable: true, reason, acceleration: 'hardware', accelerator, ...this.#answer(version) },
      machine,
    };
  }

  #answer(version: string | undefined): Pick<HypervisorProbe, 'capabilities' | 'impaired' | 'limits' | 'version'> {
    const { system } = this.options;
    const { capabilities, memoryBytes } = system;
    const maxMemoryBytes = Math.floor(memoryBytes / MIB) * MIB;
    return {
      capabilities,
      ...impairedIn(version),
      limits: { maxVcpus: system.maxVcpus(), minMemoryBytes: MIN_MEMORY_BYTES, maxMemoryBytes },
      ...(version === undefined ? {} : { version }),
    };
  }
}
