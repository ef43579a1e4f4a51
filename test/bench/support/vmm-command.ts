import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { machineOptions } from '../../../backends/qemu/dist/machine-options.js';
import { findQemu } from '../../../backends/qemu/dist/qemu-binary.js';
import { measureTscKhz } from '../../../backends/qemu/dist/tsc-frequency.js';
import { DEFAULT_MEMORY_BYTES, DEFAULT_VCPUS } from '../../../core/dist/box/box-spec.js';

export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
}

/** QEMU with the machine options of a box of the default size under emulation, without any device. */
export async function bareMachine(home: string, initramfs: string, { share = false } = {}): Promise<CommandLine> {
  const assets = join(home, 'assets');
  const kernel = readdirSync(assets).find((name) => name.startsWith('kernel-') && !name.endsWith('.json'));
  const qemu = findQemu();
  if (kernel === undefined || qemu === undefined) throw new Error('no kernel or no QEMU: run a box in this home first');
  const args = machineOptions({
    name: 'bare',
    shape: { vcpus: DEFAULT_VCPUS, memoryBytes: DEFAULT_MEMORY_BYTES, network: false, share },
    accelerator: { kind: 'tcg', tscKhz: await measureTscKhz() },
    boot: { kernel: join(assets, kernel), initramfs },
  });
  return { program: qemu.path, args: [...args, '-monitor', 'none'] };
}
