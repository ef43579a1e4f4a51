import type { Box } from './box.js';
import { containerFiles } from './container-files.js';
import { compileOciConfig } from './oci-config.js';

/**
 * Absolute paths of what is put into a box's root file system for it to run, and is no change that its workload made: host
 * name and name resolution, and the directories that something is mounted on.
 */
export function runtimeFiles(box: Pick<Box, 'spec' | 'image' | 'hostname'>): string[] {
  const { mounts } = compileOciConfig(box.spec, box.image.config, box.hostname) as {
    readonly mounts: readonly { readonly destination: string }[];
  };
  const paths = new Set(containerFiles(box.hostname, undefined).map(({ path }) => path));
  for (const { destination } of mounts) {
    const parts = destination.split('/').filter(Boolean);
    for (let count = parts.length; count > 0; count--) paths.add(`/${parts.slice(0, count).join('/')}`);
  }
  return [...paths];
}
