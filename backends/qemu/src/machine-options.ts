import type { VmShape } from '@a3s-box/core';

export type Accelerator =
  | { readonly kind: 'kvm' }
  | { readonly kind: 'tcg'; readonly tscKhz: number }
  /** Emulation of a processor that is not the host's. */
  | { readonly kind: 'foreign'; readonly architecture: 'arm64' };

const MIB = 1024 * 1024;

const TINY_GUEST_MIB = 128;
const TINY_CACHE_MIB = 11;
const SMALL_GUEST_MIB = 256;
const SMALL_CACHE_MIB = 16;
const LARGEST_CACHE_MIB = 256;

/**
 * Cache of translated code under emulation, MiB: an eighth of the guest's memory, up to a bound. Boot and first container
 * fill about 40; a cache that is full is emptied and all of it translated again, which a small guest puts up with for
 * its memory's sake, since what was once filled is never given back (docs/adr/0013).
 */
export function translationCacheMib(memoryBytes: number): number {
  if (memoryBytes <= TINY_GUEST_MIB * MIB) return TINY_CACHE_MIB;
  return isKeptSmall(memoryBytes) ? SMALL_CACHE_MIB : Math.min(LARGEST_CACHE_MIB, Math.ceil(memoryBytes / MIB / 8));
}

/**
 * Whether an emulated guest does without huge pages, which make its start and its calls a tenth quicker and take memory that
 * is never used: the same bargain as with the translation cache.
 */
export function isKeptSmall(memoryBytes: number): boolean {
  return memoryBytes <= SMALL_GUEST_MIB * MIB;
}

export interface MachineSpec {
  readonly name: string;
  readonly shape: VmShape;
  readonly accelerator: Accelerator;
  /** What it boots, as paths that the VMM sees. Absent for a machine whose state is loaded. */
  readonly boot?: { readonly kernel: string; readonly initramfs: string };
  /** The file that its memory is, as the VMM sees it. Private: what the guest changes stays in the VMM. */
  readonly memory?: { readonly path: string; readonly access: 'shared' | 'private' };
}

/** Options for machine, CPU, memory, kernel and sandbox. No option here depends on the box's configuration. */
export function machineOptions(spec: MachineSpec): string[] {
  const { name, shape, accelerator, boot } = spec;
  const backend = memoryBackend(spec);
  return [
    ...['-name', name, '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-M', `${board(accelerator)}${backend.length > 0 ? ',memory-backend=ram' : ''}`],
    ...backend,
    ...['-m', memorySize(shape), '-smp', String(shape.vcpus), '-global', 'virtio-mmio.force-legacy=false'],
    ...acceleratorOptions(accelerator, shape),
    ...(boot ? ['-kernel', boot.kernel, '-initrd', boot.initramfs, '-append', kernelCommandLine(accelerator)] : []),
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
  ];
}

function board(accelerator: Accelerator): string {
  // QEMU says where the devices are in a device tree; the kernel has no driver for what else there could be.
  if (accelerator.kind === 'foreign') return 'virt,gic-version=3,its=off,acpi=off';
  // The kernel has neither ACPI nor an 8250; without the clock chip its start waits half a second for one.
  return 'microvm,x-option-roms=off,acpi=off,rtc=on,isa-serial=off';
}

function memorySize({ memoryBytes }: VmShape): string {
  return `${memoryBytes / MIB}M`;
}

function memoryBackend({ shape, memory }: MachineSpec): string[] {
  const size = memorySize(shape);
  if (shape.share) return ['-object', `memory-backend-memfd,id=ram,size=${size},share=on`];
  if (memory === undefined) return [];
  const share = memory.access === 'shared' ? 'on' : 'off';
  return ['-object', `memory-backend-file,id=ram,size=${size},mem-path=${memory.path},share=${share}`];
}

function acceleratorOptions(accelerator: Accelerator, { memoryBytes }: VmShape): string[] {
  if (accelerator.kind === 'kvm') return ['-accel', 'kvm', '-cpu', 'host'];
  // Emulation with several threads lets a guest's start fail now and then (docs/adr/0013).
  const emulator = ['-accel', `tcg,thread=single,tb-size=${translationCacheMib(memoryBytes)}`];
  // Signed pointers guard the guest from its own programs as well with a signature that is quick to emulate.
  if (accelerator.kind === 'foreign') return [...emulator, '-cpu', 'max,pauth-impdef=on'];
  return [...emulator, '-cpu', 'max,-erms,-la57'];
}

function kernelCommandLine(accelerator: Accelerator): string {
  // Without a policy SELinux allows everything, and asks itself at every step of a path whether it does.
  // With its controller for block devices the kernel writes back each group's files apart, at a tenth of an emulated write's time; QEMU counts.
  const base = 'console=hvc0 panic=-1 quiet lsm=capability cgroup_disable=io';
  // The emulator runs none of the guest's instructions ahead of time, so what guards against that is work for nothing.
  if (accelerator.kind === 'foreign') return `${base} mitigations=off`;
  if (accelerator.kind === 'kvm') return `${base} reboot=t`;
  // An emulated guest that measures the counter itself gets it wrong under load and falls back to a clock of 4 ms.
  // One that looks for ten ticks of its timer in time panics on a host with much to do: "IO-APIC + timer doesn't work".
  // QEMU 7.2 leaves flags at random behind cmpxchg16b, which an interrupt there keeps: the kernel does without it.
  return `${base} reboot=t mitigations=off no_timer_check clearcpuid=cx16 tsc=reliable tsc_early_khz=${accelerator.tscKhz}`;
}
