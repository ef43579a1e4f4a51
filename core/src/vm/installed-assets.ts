import type { BootAssets } from '../ports/hypervisor.js';
import type { HomeLayout } from '../store/home-layout.js';
import type { BootAssetSource } from './boot-asset-source.js';

/** Boot assets made from what is installed beside this package, kept in the home. */
export class InstalledAssets implements BootAssetSource {
  constructor(private readonly home: HomeLayout) {}
  async boot(): Promise<BootAssets> { throw this.home; }
  async makeScratch(): Promise<void> { throw this.home; }
}
