import type { RootDisk } from '../ports/image-store.js';
import type { NetworkEndpoint } from '../ports/network.js';
import type { FileServerWatch } from '../volumes/file-server-watch.js';
import type { AttachedVolumes } from './box-volumes.js';

/** What a running box holds of the ports beside its VM. */
export interface HeldResources {
  /** Absent without volumes, and for a box that an earlier supervisor started: what serves it is in the ledger. */
  readonly volumes?: AttachedVolumes;
  /** Of a box that an earlier supervisor started, where it has volumes on a share. */
  readonly fileServer?: FileServerWatch;
  /** Absent where the image was removed, by force, under a box that an earlier supervisor started. */
  readonly root?: RootDisk;
  /** Absent without a network. */
  readonly endpoint?: NetworkEndpoint;
}

/** Gives everything back: the box has ended. */
export async function releaseHeld({ root, endpoint, volumes, fileServer }: HeldResources): Promise<void> {
  fileServer?.[Symbol.dispose]();
  await Promise.all([root?.release(), endpoint?.detach(), volumes?.release()]);
}

/** Lets go of what goes on without this process. */
export async function leaveHeld({ root, endpoint, volumes, fileServer }: HeldResources): Promise<void> {
  volumes?.leave();
  fileServer?.[Symbol.dispose]();
  await Promise.all([root?.release(), endpoint?.close()]);
}

/** Resolves with why, when the server of a box's files has ended; never without one. */
export function fileServerGone({ volumes, fileServer }: HeldResources): Promise<string> {
  return volumes?.gone ?? fileServer?.gone ?? new Promise(() => {});
}
