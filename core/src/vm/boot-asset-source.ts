import type { BootAssets, GuestArchitecture } from '../ports/hypervisor.js';
import type { Operation } from '../ports/operation.js';

export interface BootOptions extends Operation {
  /** Default: the host's. */
  readonly architecture?: GuestArchitecture;
}

export interface ScratchOptions extends Operation {
  /** One of the sizes that there are. Default: the usual one. */
  readonly sizeBytes?: number;
}

/** What every VM boots from, verified, and fresh scratch disks. */
export interface BootAssetSource {
  /** Files whose names change with what is in them. @throws ASSETS_MISSING, ASSETS_CORRUPT */
  boot(options: BootOptions): Promise<BootAssets>;

  /**
   * Makes an empty scratch disk (ext4, sparse).
   * @param path absolute path of the file to make; it must not exist
   * @throws DISK_FULL, ASSETS_MISSING, ASSETS_CORRUPT
   */
  makeScratch(path: string, options: ScratchOptions): Promise<void>;
}
