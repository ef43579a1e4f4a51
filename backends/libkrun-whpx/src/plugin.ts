import { join } from 'node:path';
import { BootAssetStore, definePlugin, HypervisorPort, platformOf } from '@a3s-box/core';
import { KrunHypervisor, namingHost, SystemProbe } from '@a3s-box/libkrun';
import { libkrunfwPath, probeInitPath } from '@a3s-box/native';
import { ProbeCache } from '@a3s-box/vmm';
import { whpxSystem } from './whpx-system.js';

const NAME = 'libkrun-whpx';

/** As settings.schema.json says. */
interface Settings {
  readonly libkrun?: string;
}

export default definePlugin({
  provides: { hypervisor: { port: HypervisorPort, name: NAME } },
  requires: {},
  activate({ stateDirectory, settings, logger }) {
    const { libkrun } = settings as Settings;
    const host = namingHost({ platform: platformOf('win32'), kernelFormat: 'elf' });
    const assets = new BootAssetStore(join(stateDirectory, 'assets'), {
      libkrunfw: libkrunfwPath(),
      init: probeInitPath(),
    });
    const probe = new SystemProbe({
      name: NAME,
      system: whpxSystem(libkrun),
      host,
      cache: new ProbeCache(stateDirectory),
      directory: stateDirectory,
      probeAssets: (operation) => assets.boot(operation),
    });
    return Promise.resolve({ services: { hypervisor: new KrunHypervisor(NAME, probe, logger, host) } });
  },
});
