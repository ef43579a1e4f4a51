import { chmodSync, statSync } from 'node:fs';
import type { AccessRights } from './platform.js';

/** Bits of a mode that let anybody but the owner in. */
const OTHERS = 0o077;
const EVERYBODY_WRITES = 0o002;

/** Access rights where files have an owner and a mode. */
export const modeBits: AccessRights = {
  foreignOwner(directory) {
    const user = process.getuid?.();
    const { uid } = statSync(directory);
    return user === undefined || uid === user ? undefined : `it belongs to user ${uid}, and this is user ${user}`;
  },
  letsOthersIn: (directory) => (statSync(directory).mode & OTHERS) !== 0,
  letsOthersWrite: (file) => (statSync(file).mode & EVERYBODY_WRITES) !== 0,
  keepOthersOut: (directory) => chmodSync(directory, 0o700),
  remedy: (directory) => `chmod 700 ${directory}`,
};
