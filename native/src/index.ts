import { executable } from './addon.js';

export type { ExtractedKernel, ProcessHandle, TscSample } from './addon.js';
export { extractKernel, libkrunfwPath } from './kernel.js';
export { openProcess, processStartTime } from './process.js';
export {
  connectUnix,
  copyToMemory,
  createMemory,
  dataExtents,
  listenUnix,
  makeFifo,
  sealMemory,
  sendDescriptor,
} from './descriptors.js';
export { sampleTsc, tscKhz } from './tsc.js';

/** Absolute path of the confining launcher (launcher/confine.c says how it is called); undefined when not built. */
export function confinePath(): string | undefined {
  return executable('a3s-box-confine');
}

/** Absolute path of the static executable that a boot probe's guest runs as init; undefined when not built. */
export function probeInitPath(): string | undefined {
  return executable('a3s-box-probe-init');
}
