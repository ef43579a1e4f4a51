import { BoxError } from '@a3s-box/core';
import { krunLauncherPath } from '@a3s-box/native';

/** Absolute path of the launcher. @throws VM_START_FAILED */
export function requireLauncher(): string {
  const program = krunLauncherPath();
  if (program !== undefined) return program;
  throw new BoxError('VM_START_FAILED', 'the launcher a3s-box-krun is not built', {
    hint: 'run npm run build in native/',
  });
}
