import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BoxError } from '../../errors/box-error.js';

/** A file that is made from one other file and kept. */
export interface AssetRecipe {
  /** First part of the file's name, for example `kernel`. */
  readonly kind: string;
  /** Raised when the same input gives other bytes. */
  readonly version: number;
  /** Absolute path of the input. */
  readonly input: string;
  /** Makes the asset as parts to be written one after the other. */
  build(): Promise<readonly Uint8Array[]>;
}

/** Enough to see that a file is the one that was looked at, without reading it. */
interface FileIdentity {
  readonly size: string;
  readonly inode: string;
  readonly modifiedNs: string;
  readonly changedNs: string;
}

interface AssetRecord {
  readonly version: number;
  readonly input: FileIdentity;
  readonly inputDigest: string;
  readonly output: FileIdentity;
  readonly outputDigest: string;
}

const STALE_TEMPORARY_MS = 60 * 60 * 1000;

/**
 * Files made once from installed packages and kept in one directory under names that hold their input's digest.
 *
 * Concurrency: any number of processes may share the directory; files appear complete or not at all, and two that make
 * the same one make it twice and keep either. A damaged file is made again.
 */
export class AssetCache {
  /** @param directory absolute path; made with mode 0700 when it is missing */
  constructor(private readonly directory: string) {}

  /**
   * Gives the asset's path, after making it when there is none that fits.
   * @throws ASSETS_MISSING when the input is not there @throws ASSETS_CORRUPT from {@link AssetRecipe.build}
   */
  async get(recipe: AssetRecipe): Promise<string> {
    const input = await identify(recipe.input);
    if (input === undefined) {
      throw new BoxError('ASSETS_MISSING', `${recipe.kind} cannot be made: ${recipe.input} is not there`, {
        hint: 'run npm install in the installation directory',
      });
    }
    const recordPath = join(this.directory, `${recipe.kind}-${digest([recipe.input]).slice(0, 16)}.json`);
    const record = await readRecord(recordPath, recipe.version);
    if (record !== undefined && same(record.input, input)) {
      const path = this.path(recipe, record.inputDigest);
      const output = await identify(path);
      if (output !== undefined && same(record.output, output)) return path;
      if (output !== undefined && (await digestFile(path)) === record.outputDigest) {
        await this.write(recordPath, [Buffer.from(JSON.stringify({ ...record, output }))]);
        return path;
      }
    }
    return this.make(recipe, input, recordPath);
  }

  private async make(recipe: AssetRecipe, input: FileIdentity, recordPath: string): Promise<string> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await this.removeStaleTemporaries();
    const inputDigest = await digestFile(recipe.input);
    const parts = await recipe.build();
    const path = this.path(recipe, inputDigest);
    const output = await this.write(path, parts);
    const record: AssetRecord = { version: recipe.version, input, inputDigest, output, outputDigest: digest(parts) };
    await this.write(recordPath, [Buffer.from(JSON.stringify(record))]);
    return path;
  }

  private path(recipe: AssetRecipe, inputDigest: string): string {
    return join(this.directory, `${recipe.kind}-${recipe.version}-${inputDigest.slice(0, 32)}`);
  }

  /** Readable by everyone who reaches it (the directory is not): a VMM with another user id opens it by descriptor. */
  private async write(path: string, parts: readonly Uint8Array[]): Promise<FileIdentity> {
    const temporary = `${path}.tmp-${randomBytes(6).toString('hex')}`;
    try {
      const file = await open(temporary, 'wx', 0o644);
      try {
        for (const part of parts) await file.writeFile(part);
        await file.chmod(0o644);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    return (await identify(path)) as FileIdentity;
  }

  private async removeStaleTemporaries(): Promise<void> {
    for (const name of await readdir(this.directory)) {
      if (!name.includes('.tmp-')) continue;
      const path = join(this.directory, name);
      const identity = await identify(path);
      const modifiedMs = Number(BigInt(identity?.modifiedNs ?? 0) / 1_000_000n);
      if (Date.now() - modifiedMs > STALE_TEMPORARY_MS) await rm(path, { force: true });
    }
  }
}

async function identify(path: string): Promise<FileIdentity | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    return {
      size: String(found.size),
      inode: String(found.ino),
      modifiedNs: String(found.mtimeNs),
      changedNs: String(found.ctimeNs),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function same(left: FileIdentity, right: FileIdentity): boolean {
  return (
    left.size === right.size &&
    left.inode === right.inode &&
    left.modifiedNs === right.modifiedNs &&
    left.changedNs === right.changedNs
  );
}

/** A record that is missing, of another version or unreadable is no record: the asset is made again. */
async function readRecord(path: string, version: number): Promise<AssetRecord | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const record = JSON.parse(text) as AssetRecord;
    return record.version === version ? record : undefined;
  } catch {
    return undefined;
  }
}

function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}
