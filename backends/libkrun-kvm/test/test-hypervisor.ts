import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BootAssetStore, type BootAssets, type Logger } from '@a3s-box/core';
import { contractGuestInit } from '@a3s-box/contract-hypervisor';
import { KrunHypervisor } from '@a3s-box/libkrun';
import { libkrunfwPath, probeInitPath } from '@a3s-box/native';
import { ProbeCache } from '@a3s-box/vmm';
import { KvmProbe, type KvmProbeOptions } from '../dist/index.js';

const signal = new AbortController().signal;

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

/** Boot assets with this program as `/init`. */
function bootWith(directory: string, init: string | undefined): Promise<BootAssets> {
  return new BootAssetStore(join(directory, 'assets'), { libkrunfw: libkrunfwPath(), init }).boot({ signal });
}

/** Boot assets whose guest is the contract kit's. */
export function contractBoot(directory: string): Promise<BootAssets> {
  return bootWith(directory, contractGuestInit());
}

/** The probe under test, with its state below a directory. */
export function kvmProbe(directory: string, changes: Partial<KvmProbeOptions> = {}): KvmProbe {
  const state = join(directory, 'state');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  return new KvmProbe({
    cache: new ProbeCache(state),
    directory: state,
    probeAssets: () => bootWith(directory, probeInitPath()),
    libkrunfw: libkrunfwPath(),
    ...changes,
  });
}

/** The provider under test. */
export function libkrunKvm(directory: string): KrunHypervisor {
  return new KrunHypervisor('libkrun-kvm', kvmProbe(directory), silent);
}
