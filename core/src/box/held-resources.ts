import type { RootDisk } from '../ports/image-store.js';
import type { NetworkEndpoint } from '../ports/network.js';

/** What a running box holds of the ports beside its VM. */
export interface HeldResources {
  /** Absent where the image was removed, by force, under a box that an earlier supervisor started. */
  readonly root?: RootDisk;
  /** Absent without a network. */
  readonly endpoint?: NetworkEndpoint;
}

/** Gives everything back: the box has ended. */
export async function releaseHeld({ root, endpoint }: HeldResources): Promise<void> {
  await Promise.all([root?.release(), endpoint?.detach()]);
}

/** Lets go of what goes on without this process. */
export async function leaveHeld({ root, endpoint }: HeldResources): Promise<void> {
  await Promise.all([root?.release(), endpoint?.close()]);
}
