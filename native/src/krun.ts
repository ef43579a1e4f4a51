import { executable } from './addon.js';

/** Absolute path of the launcher that becomes a machine by libkrun (launcher/krun/main.c); undefined when not built. */
export function krunLauncherPath(): string | undefined {
  return executable('a3s-box-krun');
}
