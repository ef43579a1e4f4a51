import { BoxError } from '../errors/box-error.js';
import { darwin } from './darwin.js';
import { linux } from './linux.js';
import type { HostPlatform } from './platform.js';
import { windows } from './windows.js';

const PLATFORMS: Readonly<Partial<Record<NodeJS.Platform, HostPlatform>>> = { linux, darwin, win32: windows };

/**
 * The module for a system.
 * @param name as Node.js names it @throws UNSUPPORTED
 */
export function platformOf(name: NodeJS.Platform): HostPlatform {
  const platform = PLATFORMS[name];
  if (platform !== undefined) return platform;
  throw new BoxError('UNSUPPORTED', `A3S Box does not run on ${name}`, { hint: 'use Linux, macOS or Windows' });
}

/** The module for the system that this runs on. @throws UNSUPPORTED */
export function hostPlatform(): HostPlatform {
  return platformOf(process.platform);
}
