import { join } from 'node:path';
import { BootAssetStore, definePlugin, HypervisorPort, platformOf } from '@a3s-box/core';
import { KrunHypervisor, namingHost, SystemProbe } from '@a3s-box/libkrun';
import { libkrunfwPath, probeInitPath } from '@a3s-box/native';
import { ProbeCache } from '@a3s-box/vmm';
import { hvfSystem } from './hvf-system.js';

const NAME = 'libkrun-hvf';

/** As settings.schema.json says. */
interface Settings {
  readonly libkrun?: string;
}

export default definePlugin({
  provides: { hypervisor: { port: HypervisorPort, name: NAME } },
  requires: {},
  activate({ stateDirectory, settings, logger }) {
    const { libkrun } = settings as Settings;
    // Apple silicon starts an arm64 kernel as it is.
    const host = namingHost({ platform: platformOf('darwin'), kernelFormat: 'raw' });
    const assets = new BootAssetStore(join(stateDirectory, 'assets'), {
      libkrunfw: libkrunfwPath(),
      init: probeInitPath(),
    });
    const probe = new SystemProbe({
      name: NAME,
      system: hvfSystem(join(stateDirectory, 'libraries'), libkrun),
      host,
      cache: new ProbeCache(stateDirectory),
      directory: stateDirectory,
      probeAssets: (operation) => assets.boot(operation),
    });
    return Promise.resolve({ services: { hypervisor: new KrunHypervisor(NAME, probe, logger, host) } });
  },
});
