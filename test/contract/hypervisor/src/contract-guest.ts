import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);

/**
 * Absolute path of the static executable that a boot image of the kit must run as `/init`. It comes prebuilt with the
 * published package; in a source tree it is compiled here with the system's C compiler when it is missing or older than
 * its source.
 */
export function contractGuestInit(): string {
  const prebuilt = join(root, 'prebuilds', `linux-${process.arch}`, 'contract-guest');
  if (existsSync(prebuilt)) return prebuilt;
  const source = join(root, 'guest', 'contract-guest.c');
  const built = join(root, 'build', 'contract-guest');
  if ((statSync(built, { throwIfNoEntry: false })?.mtimeMs ?? 0) > statSync(source).mtimeMs) return built;
  mkdirSync(dirname(built), { recursive: true });
  const temporary = `${built}.${process.pid}`;
  const warnings = ['-Wall', '-Wextra', '-Werror', '-Wno-format-truncation'];
  execFileSync('cc', ['-static', '-O2', '-std=gnu11', ...warnings, '-o', temporary, source], { stdio: 'inherit' });
  renameSync(temporary, built);
  return built;
}
