import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootAssets, DiskImage, Vm, VmSpec } from '@a3s-box/core';
import { GuestConnection } from '@a3s-box/contract-hypervisor';
import type { QemuHypervisor } from '../dist/index.js';
import { contractBoot, qemu } from './test-hypervisor.ts';

export const MIB = 1024 * 1024;

/** A home with a provider and a guest, and the VMs that a case starts in it. */
export class VmScope {
  readonly home = mkdtempSync(join(tmpdir(), 'h-'));
  readonly signal = new AbortController().signal;
  readonly hypervisor: QemuHypervisor = qemu(this.home);
  readonly #vms: Vm[] = [];
  #count = 0;

  boot(): Promise<BootAssets> {
    return contractBoot(this.home);
  }

  async spec(changes: Partial<VmSpec> = {}): Promise<VmSpec> {
    return {
      id: `vm-${++this.#count}`,
      directory: mkdtempSync(join(this.home, 'v')),
      boot: await this.boot(),
      shape: { vcpus: 1, memoryBytes: 256 * MIB, network: false, share: false },
      disks: {},
      ...changes,
    };
  }

  async start(changes: Partial<VmSpec> = {}): Promise<Vm> {
    const vm = await this.hypervisor.create(await this.spec(changes), { signal: this.signal });
    this.#vms.push(vm);
    return vm;
  }

  /** Has a VM killed at the end. */
  keep(vm: Vm): Vm {
    this.#vms.push(vm);
    return vm;
  }

  guest(vm: Vm): Promise<GuestConnection> {
    return GuestConnection.open(vm.agent);
  }

  disk(text: string, readOnly: boolean, bytes = MIB): DiskImage {
    const path = join(this.home, `disk-${++this.#count}.img`);
    writeFileSync(path, text);
    truncateSync(path, bytes);
    return { path, format: 'raw', readOnly };
  }

  async dispose(): Promise<void> {
    for (const vm of this.#vms) {
      await vm.kill();
      await vm.close();
    }
    rmSync(this.home, { recursive: true });
  }
}
