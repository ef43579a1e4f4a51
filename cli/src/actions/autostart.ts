/** `system install` and `system uninstall`. */
import { installAutostart, uninstallAutostart } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { Invocation } from '../invocation.js';

type None = Record<never, never>;

export async function install(_: Input<None>, invocation: Invocation): Promise<number> {
  const { file, note } = await installAutostart(invocation);
  process.stdout.write(`${file}\n`);
  process.stderr.write(`a3s-box: ${note}\n`);
  return 0;
}

export async function uninstall(_: Input<None>, invocation: Invocation): Promise<number> {
  const { file } = await uninstallAutostart(invocation);
  process.stdout.write(`${file}\n`);
  return 0;
}
