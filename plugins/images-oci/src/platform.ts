import { arch } from 'node:os';
import type { Platform } from '@a3s-box/core';

/** The platform of guests on this machine: Linux on the host's processor, in Go's names, as OCI uses them. */
export function guestPlatform(): Platform {
  switch (arch()) {
    case 'x64':
      return { os: 'linux', architecture: 'amd64' };
    case 'arm64':
      return { os: 'linux', architecture: 'arm64', variant: 'v8' };
    default:
      return { os: 'linux', architecture: arch() };
  }
}
