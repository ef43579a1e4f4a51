import { accessSync, constants, mkdirSync, readdirSync, statSync, type Stats } from 'node:fs';
import { resolve } from 'node:path';
import { BoxError } from '../errors/box-error.js';
import { hostPlatform } from '../platform/host-platform.js';
import type { AccessRights, HostPlatform } from '../platform/platform.js';
import { HomeLayout } from '../store/home-layout.js';

/**
 * Where a home's files lie. Touches nothing.
 * @throws HOME_UNUSABLE when its path is too long for the sockets that will lie below it
 */
export function layoutOf(home: string, platform: HostPlatform = hostPlatform()): HomeLayout {
  const layout = new HomeLayout(resolve(home), platform);
  const excess = layout.longestSocketPath - (platform.endpointPathLimit ?? Infinity);
  if (excess > 0) {
    throw unusable(layout.root, `its path is ${excess} bytes too long for the sockets in it`, {
      hint: `set A3S_BOX_HOME to a path of at most ${Buffer.byteLength(layout.root) - excess} bytes`,
    });
  }
  return layout;
}

/**
 * Makes the home (mode 0700, or what stands for it) where it does not exist, and checks that it is this user's alone. Idempotent.
 * @throws HOME_UNUSABLE
 */
export function prepareHome(layout: HomeLayout): void {
  const { root } = layout;
  const { access } = layout.platform;
  let stats: Stats;
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    stats = statSync(root);
  } catch (cause) {
    throw unusable(root, `it cannot be made: ${codeOf(cause)}`, { cause });
  }
  if (!stats.isDirectory()) throw unusable(root, 'it is not a directory');
  const owner = access.foreignOwner(root);
  if (owner !== undefined) throw unusable(root, owner);
  try {
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw unusable(root, `it cannot be written to: ${codeOf(cause)}`, { cause });
  }
  if (access.letsOthersIn(root)) closeToOthers(root, access);
}

/** An empty directory was made for us; one with files in it may be anything (`/`, say), so its owner decides. */
function closeToOthers(root: string, access: AccessRights): void {
  if (readdirSync(root).length > 0) {
    throw unusable(root, 'other users have access to it', {
      hint: `if it is A3S Box's alone, run: ${access.remedy(root)}`,
    });
  }
  access.keepOthersOut(root);
}

function unusable(
  root: string,
  why: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): BoxError {
  return new BoxError('HOME_UNUSABLE', `home ${root} cannot be used: ${why}`, {
    hint: 'set A3S_BOX_HOME to a directory of your own',
    ...options,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
