import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BoxError } from '@a3s-box/core';
import type { Libkrun } from '@a3s-box/native';

const KEY_DIGITS = 16;

/**
 * The path at which libkrun is loaded. macOS checks the signature of each copy of a library anew, so that a library that
 * lies in a checkout's node_modules is copied once, with what lies beside it, to a place that all of a home's starts share.
 * One of Homebrew or the system has such a place.
 *
 * @param directory absolute; owned by the caller, for the copies
 * @throws HOME_UNUSABLE
 */
export async function stableLibrary({ path, source }: Libkrun, directory: string): Promise<string> {
  if (source !== 'package') return path;
  const from = dirname(path);
  const names = readdirSync(from).filter((name) => name.endsWith('.dylib'));
  const place = join(directory, keyOf(from, names));
  if (!existsSync(place)) await copy(from, names, place);
  return join(place, basename(path));
}

/** Changes with each file that is copied. */
function keyOf(directory: string, names: readonly string[]): string {
  const files = [...names].sort().map((name) => {
    const { size, mtimeMs } = statSync(join(directory, name));
    return `${name} ${size} ${mtimeMs}`;
  });
  return createHash('sha256').update(files.join('\n')).digest('hex').slice(0, KEY_DIGITS);
}

/** All or nothing: another process may look. */
async function copy(from: string, names: readonly string[], place: string): Promise<void> {
  const fresh = `${place}.${process.pid}`;
  try {
    await mkdir(fresh, { recursive: true, mode: 0o700 });
    for (const name of names) await copyFile(join(from, name), join(fresh, name));
    await rename(fresh, place);
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true });
    // Somebody else was faster.
    if (existsSync(place)) return;
    throw new BoxError('HOME_UNUSABLE', `libkrun cannot be copied to ${place}`, { cause });
  }
}
