/** Programs of other projects that tests meet, built once by Go from the module proxy and kept in .cache. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');

/**
 * Path of a program; takes minutes the first time.
 * @param module of its main package, without a version
 * @throws saying so when there is no Go, or it does not build
 */
export async function goProgram(module: string, version: string): Promise<string> {
  const directory = join(root, '.cache/peers', version);
  const program = join(directory, basename(module));
  if (existsSync(program)) return program;
  await mkdir(directory, { recursive: true });
  const env = { ...process.env, GOBIN: directory, CGO_ENABLED: '0', GOFLAGS: '' };
  const build = promisify(execFile)('go', ['install', '-trimpath', `${module}@${version}`], { env });
  await build.catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'there is no Go; install it, and put `go` on the PATH' : cause.message;
    throw new Error(`${module} cannot be built: ${why}`, { cause });
  });
  return program;
}
