import { join } from 'node:path';
import { BootAssetStore, definePlugin, HypervisorPort } from '@a3s-box/core';
import { libkrunfwPath, probeInitPath } from '@a3s-box/native';
import { ProbeCache } from '@a3s-box/vmm';
import { AccelerationProbe, type AccelerationProbeOptions } from './acceleration-probe.js';
import { QemuHypervisor } from './qemu-hypervisor.js';

/** As settings.schema.json says. */
interface Settings {
  readonly qemu?: string;
  readonly accelerator?: AccelerationProbeOptions['accelerator'];
}

export default definePlugin({
  provides: { hypervisor: { port: HypervisorPort, name: 'qemu' } },
  requires: {},
  activate({ stateDirectory, settings, logger }) {
    const { qemu, accelerator = 'auto' } = settings as Settings;
    const probe = new AccelerationProbe({
      cache: new ProbeCache(stateDirectory),
      directory: stateDirectory,
      probeAssets: (operation) => {
        const sources = { libkrunfw: libkrunfwPath(), init: probeInitPath() };
        return new BootAssetStore(join(stateDirectory, 'assets'), sources).boot(operation);
      },
      accelerator,
      ...(qemu === undefined ? {} : { qemu }),
    });
    return Promise.resolve({ services: { hypervisor: new QemuHypervisor(probe, logger) } });
  },
});
