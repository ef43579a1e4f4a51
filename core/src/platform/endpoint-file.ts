import { rm } from 'node:fs/promises';
import type { HostPlatform } from './platform.js';

/** Removes what a server that ended may have left at its address. A named pipe leaves nothing. */
export async function removeEndpoint({ endpointsAreFiles }: HostPlatform, address: string): Promise<void> {
  if (endpointsAreFiles) await rm(address, { force: true });
}
