import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join, basename } from 'node:path';
import { Readable } from 'node:stream';
import { BaseFetcher, Updater, type Fetcher } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { isBoxError } from '@a3s-box/core';
import { fault, shown } from './fault.js';
import { parseTrustRoot, type TrustRoot } from './trust-root.js';

const TARGET = 'trusted_root.json';
const TIMEOUT_MS = 30_000;

export interface TufSource {
  /** File of the root that is trusted to begin with. */
  readonly root: string;
  /** A directory with the repository's files, or the https address of one. */
  readonly repository: string;
  /** Where verified metadata is kept from one time to the next, so that a repository cannot be rolled back. */
  readonly cache: string;
}

/**
 * The trust root of a TUF repository: its signatures, versions and expiry are verified (TUF specification, section 5.3),
 * starting from a root that is trusted. A directory needs no network.
 * @throws TRUST_ROOT_INVALID
 */
export async function trustRootFromTuf({ root, repository, cache }: TufSource): Promise<TrustRoot> {
  const remote = repository.startsWith('https://');
  const base = remote ? repository.replace(/\/+$/, '') : 'directory:';
  try {
    const targetDir = join(cache, 'targets');
    await mkdir(targetDir, { recursive: true, mode: 0o700 });
    await copyFile(root, join(cache, 'root.json'));
    const updater = new Updater({
      metadataDir: cache,
      metadataBaseUrl: base,
      targetDir,
      targetBaseUrl: `${base}/targets`,
      ...(remote ? { config: { fetchTimeout: TIMEOUT_MS } } : { fetcher: new DirectoryFetcher(repository) }),
    });
    await updater.refresh();
    const target = await updater.getTargetInfo(TARGET);
    if (target === undefined) throw fault('TRUST_ROOT_INVALID', `TUF repository has no target ${TARGET}`);
    const path = (await updater.findCachedTarget(target)) ?? (await updater.downloadTarget(target));
    return parseTrustRoot(await readFile(path));
  } catch (error) {
    if (isBoxError(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw fault('TRUST_ROOT_INVALID', `TUF repository ${shown(repository)} is not to be trusted: ${reason}`, error);
  }
}

/** Reads the files of a repository in a directory in place of fetching them. */
class DirectoryFetcher extends BaseFetcher implements Fetcher {
  constructor(private readonly directory: string) {
    super();
  }

  override async fetch(url: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    // Names come from metadata: of metadata they are file names, of targets those of one directory below.
    const name = basename(url);
    const path = url.includes('/targets/') ? join(this.directory, 'targets', name) : join(this.directory, name);
    const stream = createReadStream(path);
    await new Promise((resolve, reject) => stream.once('open', resolve).once('error', reject)).catch(
      (error: unknown) => {
        // The updater asks for the next root until there is none.
        throw (error as NodeJS.ErrnoException).code === 'ENOENT'
          ? new DownloadHTTPError(`no file ${name}`, 404)
          : error;
      },
    );
    return Readable.toWeb(stream) as ReadableStream<Uint8Array<ArrayBuffer>>;
  }
}
