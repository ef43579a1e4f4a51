import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BootAssetStore, type BootAssets, type Logger } from '@a3s-box/core';
import { contractGuestInit } from '@a3s-box/contract-hypervisor';
import { libkrunfwPath, probeInitPath } from '@a3s-box/native';
import { ProbeCache } from '@a3s-box/vmm';
import { AccelerationProbe, QemuHypervisor, type AccelerationProbeOptions } from '../dist/index.js';

const signal = new AbortController().signal;

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

/** Boot assets whose guest is the contract kit's. */
export function contractBoot(directory: string): Promise<BootAssets> {
  const sources = { libkrunfw: libkrunfwPath(), init: contractGuestInit() };
  return new BootAssetStore(join(directory, 'assets'), sources).boot({ signal });
}

/** Boot assets whose guest says that it runs and restarts. */
export function probeBoot(directory: string): Promise<BootAssets> {
  return new BootAssetStore(join(directory, 'assets'), { libkrunfw: libkrunfwPath(), init: probeInitPath() }).boot({
    signal,
  });
}

/** The provider under test, with its state below a directory. */
export function qemu(directory: string, changes: Partial<AccelerationProbeOptions> = {}): QemuHypervisor {
  const state = join(directory, 'state');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const probe = new AccelerationProbe({
    cache: new ProbeCache(state),
    directory: state,
    probeAssets: () => probeBoot(directory),
    accelerator: 'auto',
    ...changes,
  });
  return new QemuHypervisor(probe, silent);
}
