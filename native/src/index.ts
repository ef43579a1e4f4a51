import { dirname, join } from 'node:path';
import { executable } from './addon.js';

export type { ExtractedKernel, ProcessHandle, TscSample } from './addon.js';
export { extractKernel, libkrunfwPath, supportsInitramfs } from './kernel.js';
export { fixMmapThreshold } from './heap.js';
export { krunLauncherPath } from './krun.js';
export {
  libkrunPackagePath,
  probeLibkrun,
  type Libkrun,
  type LibkrunProbe,
  type LibkrunSearch,
  type LibkrunSource,
} from './libkrun.js';
export { kvmGroups, probeVirtualisation, type KvmProbeOptions, type VirtualisationProbe } from './virtualisation.js';
export type { KrunDocument } from './krun-document.gen.js';
export type { KrunStatus } from './krun-status.gen.js';
export { openProcess, processStartTime } from './process.js';
export {
  connectUnix,
  copyToMemory,
  createMemory,
  dataExtents,
  listenUnix,
  makeFifo,
  peerCredentials,
  sealMemory,
  sendDescriptor,
} from './descriptors.js';
export { sampleTsc, tscKhz } from './tsc.js';

/** Absolute path of the confining launcher (launcher/confine.c says how it is called); undefined when not built. */
export function confinePath(): string | undefined {
  return executable('a3s-box-confine');
}

/** Absolute path of the launcher of file servers (launcher/share/share.c says how it is called); undefined when not built. */
export function shareLauncherPath(): string | undefined {
  return executable('a3s-box-share');
}

/** Where a checkout's set-up puts its server of files; there may be nothing. */
export function bundledVirtiofsdPath(): string {
  return join(dirname(dirname(import.meta.dirname)), '.toolchain', 'virtiofsd', 'bin', 'virtiofsd');
}

/** Absolute path of the static executable that a boot probe's guest runs as init; undefined when not built. */
export function probeInitPath(): string | undefined {
  return executable('a3s-box-probe-init');
}
