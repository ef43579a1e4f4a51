/** A Debian of its essential packages. */
import type { Context } from 'mocha';
import { skip } from '../../../../test/support/skip.ts';
import { run } from './programs.ts';

/**
 * Makes its root file system's archive: bash, dpkg and perl among the packages. Skips where no mirror can be reached.
 * @param include further packages
 */
export function debianArchive(context: Context, tar: string, include: readonly string[] = []): void {
  try {
    const packages = include.length === 0 ? [] : [`--include=${include.join(',')}`];
    run('mmdebstrap', ['--quiet', '--variant=essential', ...packages, 'bookworm', tar]);
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    if (/(Could not resolve|Could not connect|Temporary failure|Unable to connect)/.test(stderr ?? '')) {
      skip(context, 'no Debian mirror can be reached');
    }
    throw error;
  }
}
