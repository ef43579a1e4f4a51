import { readFile } from 'node:fs/promises';
import { extractKernel } from '@a3s-box/native';
import { BoxError } from '../../errors/box-error.js';
import type { BootAssets, GuestArchitecture } from '../../ports/hypervisor.js';
import type { Operation } from '../../ports/operation.js';
import { AssetCache } from './asset-cache.js';
import { hostArchitecture } from '../guest-architecture.js';
import { arm64Image } from './arm64-image.js';
import { initramfs } from './initramfs.js';
import { kernelElfHeader } from './kernel-elf.js';

/** The installed files that boot assets are made from. */
export interface BootAssetSources {
  /** Absolute path of libkrunfw; absent when no package brings one. */
  readonly libkrunfw: string | undefined;
  /** Absolute path of the static executable that becomes `/init`; absent when no package brings one. */
  readonly init: string | undefined;
  /** Of both. Default: the host's. */
  readonly architecture?: GuestArchitecture;
}

const KERNEL_VERSION = 1;
const INITRAMFS_VERSION = 1;
const ELF_MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/**
 * Kernel and initramfs, the same for every backend: made at first use, kept below a home.
 * Concurrency: any; see {@link AssetCache}.
 */
export class BootAssetStore {
  private readonly cache: AssetCache;
  private readonly architecture: GuestArchitecture;

  /** @param directory absolute path of the directory for the files, for example `<home>/assets` */
  constructor(
    directory: string,
    private readonly sources: BootAssetSources,
  ) {
    this.cache = new AssetCache(directory);
    this.architecture = sources.architecture ?? hostArchitecture();
  }

  /**
   * Paths of a kernel and an initramfs that are there and whole.
   * @throws ASSETS_MISSING when a package that they are made from is not installed
   * @throws ASSETS_CORRUPT when such a package is damaged
   */
  async boot({ signal }: Operation): Promise<BootAssets> {
    signal.throwIfAborted();
    // One after the other: after a failure nothing is still being written.
    const kernel = await this.kernel();
    return { architecture: this.architecture, kernel, initramfs: await this.initramfs() };
  }

  private kernel(): Promise<string> {
    const input = this.required(this.sources.libkrunfw, 'the kernel', 'libkrunfw');
    return this.cache.get({
      kind: 'kernel',
      version: KERNEL_VERSION,
      input,
      build: async () => {
        if (this.architecture === 'arm64') return [arm64Image(await readFile(input), input)];
        const kernel = loadKernel(input);
        return [kernelElfHeader(kernel), kernel.image];
      },
    });
  }

  private initramfs(): Promise<string> {
    const input = this.required(this.sources.init, 'the initramfs', 'guest-init');
    return this.cache.get({
      kind: 'initramfs',
      version: INITRAMFS_VERSION,
      input,
      build: async () => {
        const init = await readFile(input);
        if (!init.subarray(0, ELF_MAGIC.length).equals(ELF_MAGIC)) throw corrupt(input, 'is no executable');
        return [initramfs(init)];
      },
    });
  }

  private required(path: string | undefined, asset: string, source: string): string {
    if (path !== undefined) return path;
    throw new BoxError(
      'ASSETS_MISSING',
      `${asset} cannot be made: ${source} for ${this.architecture} is not installed`,
      {
        hint:
          this.architecture === hostArchitecture()
            ? 'run npm install in the installation directory'
            : 'docs/platforms.md says how guests of another architecture are installed',
      },
    );
  }
}

function loadKernel(path: string): ReturnType<typeof extractKernel> {
  try {
    return extractKernel(path);
  } catch (cause) {
    throw corrupt(path, 'cannot be loaded', cause);
  }
}

function corrupt(path: string, fault: string, cause?: unknown): BoxError {
  return new BoxError('ASSETS_CORRUPT', `boot asset source ${path} ${fault}`, {
    hint: 'reinstall the package that it belongs to',
    cause,
  });
}
