import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { addon, type ExtractedKernel } from './addon.js';

const KERNEL_PACKAGES: Readonly<Record<string, string>> = {
  'linux-x64': '@superradcompany/microsandbox-linux-x64-gnu',
};

/** Absolute path of libkrunfw from the npm package for this platform; undefined where that is not installed. */
export function libkrunfwPath(): string | undefined {
  const name = KERNEL_PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  for (const directory of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const library = join(directory, name, 'lib');
    if (!existsSync(library)) continue;
    const file = readdirSync(library).find((entry) => entry.startsWith('libkrunfw.so'));
    if (file !== undefined) return join(library, file);
  }
  return undefined;
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
