import type { HypervisorProbe } from '@a3s-box/core';

/** Since this version libkrun acknowledges what the guest's kernel is waiting for. */
const MENDED = { major: 1, minor: 19 };
const FAULT = 'a connection over impersonated sockets stops after 256 KiB that went unanswered (libkrun 1.19 mends it)';

/**
 * What of a libkrun's capabilities has a fault.
 * @param version for example `1.17.4`; one that cannot be told is taken for an old one
 */
export function impairedIn(version: string | undefined): Pick<HypervisorProbe, 'impaired'> {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  const isMended = major > MENDED.major || (major === MENDED.major && minor >= MENDED.minor);
  return isMended ? {} : { impaired: { tsi: FAULT } };
}
