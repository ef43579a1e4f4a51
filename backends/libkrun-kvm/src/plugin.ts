import { join } from 'node:path';
import { BootAssetStore, definePlugin, HypervisorPort } from '@a3s-box/core';
import { KrunHypervisor } from '@a3s-box/libkrun';
import { libkrunfwPath, probeInitPath } from '@a3s-box/native';
import { ProbeCache } from '@a3s-box/vmm';
import { KvmProbe } from './kvm-probe.js';

/** As settings.schema.json says. */
interface Settings {
  readonly libkrun?: string;
  readonly nested?: boolean;
}

export default definePlugin({
  provides: { hypervisor: { port: HypervisorPort, name: 'libkrun-kvm' } },
  requires: {},
  activate({ stateDirectory, settings, logger }) {
    const { libkrun, nested = false } = settings as Settings;
    const libkrunfw = libkrunfwPath();
    const probe = new KvmProbe({
      cache: new ProbeCache(stateDirectory),
      directory: stateDirectory,
      probeAssets: (operation) =>
        new BootAssetStore(join(stateDirectory, 'assets'), { libkrunfw, init: probeInitPath() }).boot(operation),
      libkrunfw,
      nested,
      ...(libkrun === undefined ? {} : { libkrun }),
    });
    return Promise.resolve({ services: { hypervisor: new KrunHypervisor('libkrun-kvm', probe, logger) } });
  },
});
