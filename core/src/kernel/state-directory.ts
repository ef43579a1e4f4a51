import { chmod, lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxError } from '../errors/box-error.js';

/**
 * Makes the state directory of a plugin, or takes the one that is there: mode 0700, of this user, no link.
 *
 * @param root absolute path of the directory of all plugins' state; made with mode 0700 when it is missing
 * @param plugin package name; its slash becomes a plus sign, which no package name has
 * @throws HOME_UNUSABLE when something else lies there
 */
export async function makeStateDirectory(root: string, plugin: string): Promise<string> {
  const directory = join(root, plugin.replace('/', '+'));
  const unusable = (reason: string, cause?: unknown): BoxError =>
    new BoxError('HOME_UNUSABLE', `its state directory ${directory} cannot be used: ${reason}`, {
      hint: 'move away what is there, or use another A3S_BOX_HOME',
      cause,
    });
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw unusable(cause instanceof Error ? cause.message : 'it cannot be made', cause);
  });
  const found = await lstat(directory);
  if (process.getuid !== undefined && found.uid !== process.getuid()) throw unusable('it belongs to another user');
  if (!found.isDirectory()) throw unusable('it is no directory');
  if (process.platform !== 'win32' && (found.mode & 0o777) !== 0o700) await chmod(directory, 0o700);
  return directory;
}
