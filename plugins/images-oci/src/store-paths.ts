import { join } from 'node:path';
import { digestHex } from './digest.js';

/** Where things lie below the store's directory (docs/images.md). */
export class StorePaths {
  constructor(readonly root: string) {}

  get catalog(): string {
    return join(this.root, 'catalog.db');
  }
  get layoutFile(): string {
    return join(this.root, 'oci-layout');
  }
  get index(): string {
    return join(this.root, 'index.json');
  }
  /** Manifests and configs. */
  get blobs(): string {
    return join(this.root, 'blobs', 'sha256');
  }
  get layers(): string {
    return join(this.root, 'layers', 'sha256');
  }
  get disks(): string {
    return join(this.root, 'disks', 'sha256');
  }
  /** What is known of TUF repositories; made when one is asked. */
  get trustRoots(): string {
    return join(this.root, 'trust-roots');
  }
  /** What is in the making; every entry belongs to a row of the catalog's `work`. */
  get work(): string {
    return join(this.root, 'work');
  }
  blob(digest: string): string {
    return join(this.blobs, digestHex(digest));
  }
  layer(diffId: string): string {
    return join(this.layers, digestHex(diffId));
  }
  layerFile(diffId: string): string {
    return join(this.layer(diffId), LAYER_FILE);
  }
  framesFile(diffId: string): string {
    return join(this.layer(diffId), FRAMES_FILE);
  }
  disk(key: string): string {
    return join(this.disks, digestHex(key));
  }
}

export const LAYER_FILE = 'layer.erofs';
export const FRAMES_FILE = 'archive.frames';
export const MERGED_FILE = 'merged.erofs';
export const DESCRIPTOR_FILE = 'disk.vmdk';
