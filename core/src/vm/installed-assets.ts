import { guestInitPath } from '@a3s-box/guest-init';
import { libkrunfwPath } from '@a3s-box/native';
import type { BootAssets } from '../ports/hypervisor.js';
import type { Operation } from '../ports/operation.js';
import type { HomeLayout } from '../store/home-layout.js';
import { BootAssetStore } from './assets/boot-asset-store.js';
import { cloneScratch } from './assets/scratch-disk.js';
import type { BootAssetSource } from './boot-asset-source.js';

/** Boot assets made from what is installed beside this package, kept in the home. */
export class InstalledAssets implements BootAssetSource {
  readonly #store: BootAssetStore;

  constructor(home: HomeLayout) {
    this.#store = new BootAssetStore(home.assets, { libkrunfw: libkrunfwPath(), init: guestInitPath() });
  }

  boot(operation: Operation): Promise<BootAssets> {
    return this.#store.boot(operation);
  }

  makeScratch(path: string): Promise<void> {
    return cloneScratch(path);
  }
}
