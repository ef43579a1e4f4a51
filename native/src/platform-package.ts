import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** A directory of an installed npm package, found from here upwards; undefined where it is not installed. */
export function packageDirectory(name: string, directory: string): string | undefined {
  for (const modules of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const path = join(modules, name, directory);
    if (existsSync(path)) return path;
  }
  return undefined;
}
