import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { addon, type ExtractedKernel } from './addon.js';
import { packageDirectory } from './platform-package.js';

const KERNEL_PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': '@superradcompany/microsandbox-linux-x64-gnu',
  'linux-arm64': '@superradcompany/microsandbox-linux-arm64-gnu',
  'darwin-arm64': '@superradcompany/microsandbox-darwin-arm64',
};

/**
 * A parameter that only init/initramfs.c of Linux defines, and always does; that file is compiled with
 * CONFIG_BLK_DEV_INITRD and not without.
 */
const INITRAMFS_PARAMETER = '\0retain_initrd\0';

/**
 * Absolute path of libkrunfw from the npm package for this system; undefined where that is not installed.
 * @param architecture of the guests that its kernel is for, as Node.js names it
 */
export function libkrunfwPath(architecture: string = process.arch): string | undefined {
  const name = KERNEL_PACKAGES[`${process.platform}-${architecture}`];
  const library = name === undefined ? undefined : packageDirectory(name, 'lib');
  if (library === undefined) return undefined;
  const file = readdirSync(library).find((entry) => entry.startsWith('libkrunfw.'));
  return file === undefined ? undefined : join(library, file);
}

/**
 * Copies the kernel out of a libkrunfw library.
 *
 * @param path absolute path of libkrunfw; its code is loaded into this process for the length of the call
 * @throws Error of the dynamic loader when the file is no such library
 */
export function extractKernel(path: string): ExtractedKernel {
  return addon().extractKernel(path);
}

/** Whether an uncompressed kernel image takes an initramfs; upstream's libkrunfw is built without. */
export function supportsInitramfs(image: Buffer): boolean {
  return image.includes(INITRAMFS_PARAMETER, 0, 'latin1');
}
