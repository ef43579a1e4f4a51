import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { BoxError } from '@a3s-box/core';

/** What is known of an executable: where it came from and what it is. */
export interface GatewayManifest {
  /** SHA-256 of the executable, hexadecimal. */
  readonly sha256: string;
  /** Digest over the sources that it was built from. */
  readonly sources: string;
  /** Output of `rustc --version`. */
  readonly rustc: string;
}

const NAME = 'a3s-box-gateway';
const ROOT = join(import.meta.dirname, '../gateway');
const SOURCES = ['.cargo/config.toml', 'Cargo.lock', 'Cargo.toml', 'src'];

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Where the build puts its executable and, beside it, its manifest. */
export function buildDirectory(): string {
  return join(ROOT, 'build', process.arch);
}

/**
 * Path of the gateway: the executable that was built here if its sources are those that are there now, else the prebuilt
 * one, unpacked. Undefined where there is neither for this machine.
 *
 * @throws INTERNAL when the prebuilt executable does not have the digest of its manifest
 */
export function gatewayPath(): string | undefined {
  // It is confined by what Linux alone has.
  if (process.platform !== 'linux') return undefined;
  return builtPath() ?? unpackPrebuilt();
}

/** The manifest of the prebuilt executable for this machine. */
export function prebuiltManifest(): GatewayManifest | undefined {
  const all = readManifest<Partial<Record<string, GatewayManifest>>>(join(ROOT, 'prebuilt/manifest.json'));
  return all?.[process.arch];
}

/** Whether the prebuilt executable was made from the sources as they are now. */
export function prebuiltIsCurrent(): boolean {
  const manifest = prebuiltManifest();
  return manifest !== undefined && manifest.sources === sourcesDigest();
}

/** SHA-256 over names and contents of all that the executable is built from; undefined where the sources are not there. */
export function sourcesDigest(): string | undefined {
  if (!existsSync(join(ROOT, 'Cargo.toml'))) return undefined;
  const digest = createHash('sha256');
  for (const path of SOURCES.flatMap(filesBelow).sort()) {
    digest.update(`${path}\0${sha256(readFileSync(join(ROOT, path)))}\n`);
  }
  return digest.digest('hex');
}

function filesBelow(path: string): string[] {
  if (!statSync(join(ROOT, path)).isDirectory()) return [path];
  return readdirSync(join(ROOT, path)).flatMap((name) => filesBelow(`${path}/${name}`));
}

function readManifest<T>(path: string): T | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as T) : undefined;
}

function builtPath(): string | undefined {
  const path = join(buildDirectory(), NAME);
  const manifest = readManifest<GatewayManifest>(join(buildDirectory(), 'manifest.json'));
  return manifest !== undefined && existsSync(path) && manifest.sources === sourcesDigest() ? path : undefined;
}

function unpackPrebuilt(): string | undefined {
  const manifest = prebuiltManifest();
  if (manifest === undefined) return undefined;
  const name = `prebuilt-${manifest.sha256.slice(0, 16)}`;
  const unpacked = join(buildDirectory(), name);
  if (existsSync(unpacked) && sha256(readFileSync(unpacked)) === manifest.sha256) return unpacked;
  const binary = zstdDecompressSync(readFileSync(join(ROOT, 'prebuilt', process.arch, `${NAME}.zst`)));
  if (sha256(binary) !== manifest.sha256) {
    throw new BoxError('INTERNAL', 'the prebuilt network gateway does not match its manifest', {
      hint: 'install the package @a3s-box/network-user again',
    });
  }
  return writeExecutable(name, binary);
}

/** A package may lie where only its installer can write; then a directory of this user's is taken. */
function writeExecutable(name: string, binary: Buffer): string {
  try {
    mkdirSync(buildDirectory(), { recursive: true });
    return replaceFile(join(buildDirectory(), name), binary);
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return replaceFile(join(mkdtempSync(join(tmpdir(), `${NAME}-`)), name), binary);
  }
}

function replaceFile(path: string, content: Buffer): string {
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, content, { mode: 0o755 });
  renameSync(fresh, path);
  return path;
}
