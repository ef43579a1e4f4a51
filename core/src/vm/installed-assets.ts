import { guestInitPath } from '@a3s-box/guest-init';
import { libkrunfwPath } from '@a3s-box/native';
import type { BootAssets, GuestArchitecture } from '../ports/hypervisor.js';
import type { HomeLayout } from '../store/home-layout.js';
import { BootAssetStore } from './assets/boot-asset-store.js';
import { cloneScratch } from './assets/scratch-disk.js';
import type { BootAssetSource, BootOptions, ScratchOptions } from './boot-asset-source.js';
import { hostArchitecture } from './guest-architecture.js';

/** The same in Node's names. */
const NODE_NAMES = { amd64: 'x64', arm64: 'arm64' } as const;

/** Boot assets made from what is installed beside this package, kept in the home. */
export class InstalledAssets implements BootAssetSource {
  readonly #stores = new Map<GuestArchitecture, BootAssetStore>();

  constructor(private readonly home: HomeLayout) {}

  boot({ architecture = hostArchitecture(), signal }: BootOptions): Promise<BootAssets> {
    let store = this.#stores.get(architecture);
    if (!store) {
      const name = NODE_NAMES[architecture];
      const sources = { architecture, libkrunfw: libkrunfwPath(name), init: guestInitPath(name) };
      store = new BootAssetStore(this.home.assets, sources);
      // What is installed later is found then.
      if (sources.libkrunfw !== undefined && sources.init !== undefined) this.#stores.set(architecture, store);
    }
    return store.boot({ signal });
  }

  makeScratch(path: string, { sizeBytes }: ScratchOptions): Promise<void> {
    return cloneScratch(path, sizeBytes);
  }
}
