import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

const ROOT = import.meta.dirname;
const SOURCES = ['.cargo/config.toml', 'Cargo.lock', 'Cargo.toml', 'build.rs', 'proto', 'src'];
const ARCHITECTURES = { x64: 'x86_64', x86_64: 'x86_64', arm64: 'aarch64', aarch64: 'aarch64' };

const architectureOf = (name = process.arch) => ARCHITECTURES[name] ?? name;
const sha256 = (data) => createHash('sha256').update(data).digest('hex');

function readManifest(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

export function buildDirectory(architecture) {
  return join(ROOT, 'build', architectureOf(architecture));
}

export function guestInitPath(architecture) {
  return builtPath(architecture) ?? unpackPrebuilt(architecture);
}

function builtPath(architecture) {
  const directory = buildDirectory(architecture);
  const path = join(directory, 'guest-init');
  const manifest = readManifest(join(directory, 'manifest.json'));
  return manifest !== undefined && existsSync(path) && manifest.sources === sourcesDigest() ? path : undefined;
}

export function prebuiltManifest(architecture) {
  return readManifest(join(ROOT, 'prebuilt/manifest.json'))?.[architectureOf(architecture)];
}

export function prebuiltIsCurrent(architecture) {
  const manifest = prebuiltManifest(architecture);
  return manifest !== undefined && manifest.sources === sourcesDigest();
}

function unpackPrebuilt(architecture) {
  const manifest = prebuiltManifest(architecture);
  if (manifest === undefined) return undefined;
  const name = `prebuilt-${manifest.sha256.slice(0, 16)}`;
  const unpacked = join(buildDirectory(architecture), name);
  if (existsSync(unpacked) && sha256(readFileSync(unpacked)) === manifest.sha256) return unpacked;
  const binary = zstdDecompressSync(
    readFileSync(join(ROOT, 'prebuilt', architectureOf(architecture), 'guest-init.zst')),
  );
  if (sha256(binary) !== manifest.sha256) {
    throw new Error(
      `guest-init: the prebuilt executable for ${architectureOf(architecture)} does not match its manifest`,
    );
  }
  return writeExecutable(buildDirectory(architecture), name, binary);
}

/** A package may lie where only its installer can write; then a directory of this user's is taken. */
function writeExecutable(directory, name, binary) {
  try {
    mkdirSync(directory, { recursive: true });
    return replaceFile(join(directory, name), binary);
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error;
    return replaceFile(join(mkdtempSync(join(tmpdir(), 'a3s-box-guest-init-')), name), binary);
  }
}

function replaceFile(path, content) {
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, content, { mode: 0o755 });
  chmodSync(fresh, 0o755);
  renameSync(fresh, path);
  return path;
}

export function sourcesDigest() {
  if (!existsSync(join(ROOT, 'Cargo.toml'))) return undefined;
  const digest = createHash('sha256');
  for (const path of SOURCES.flatMap(filesBelow).sort()) {
    digest.update(`${path}\0${sha256(readFileSync(join(ROOT, path)))}\n`);
  }
  return digest.digest('hex');
}

function filesBelow(path) {
  if (!statSync(join(ROOT, path)).isDirectory()) return [path];
  return readdirSync(join(ROOT, path)).flatMap((name) => filesBelow(`${path}/${name}`));
}
