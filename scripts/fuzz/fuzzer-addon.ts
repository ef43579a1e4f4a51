/**
 * Builds jazzer.js's native part from the sources in its package. The prebuilt ones of its newer versions want a newer C
 * library than Debian 12 has, and its own build fetches libFuzzer from elsewhere than a package registry: here libFuzzer
 * comes out of the crate that guest-init's fuzz targets are built with, pinned by their lock file.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Has a main function of its own; replaces functions of the program it is in; is replaced by the bridge. */
const LEFT_OUT = ['FuzzerMain.cpp', 'FuzzerInterceptors.cpp', 'FuzzerTracePC.cpp'];
const FLAGS = ['-std=c++17', '-O1', '-fPIC', '-w', '-fexceptions', '-DNAPI_VERSION=4', '-DNAPI_CPP_EXCEPTIONS'];
/** The name under which libFuzzer looks for what jazzer.js's fork of it calls by another. */
const DEATH = '-D__jazzer_set_death_callback=__sanitizer_set_death_callback';

/** Builds it unless it is there for the present sources. @throws when a compiler, cargo or a source is missing */
export async function ensureFuzzerAddon(root: string): Promise<void> {
  const fuzzer = packageDirectory(join(root, 'node_modules/@jazzer.js/core/package.json'), '@jazzer.js/fuzzer');
  const built = join(fuzzer, 'build/Release/jazzerjs.node');
  const bridge = join(root, 'tools/fuzz/libfuzzer-bridge.cc');
  const inputs = [bridge, join(root, 'guest-init/fuzz/Cargo.lock'), join(fuzzer, 'package.json'), import.meta.filename];
  const digest = createHash('sha256');
  for (const file of inputs) digest.update(readFileSync(file));
  const stamp = `${digest.digest('hex')}\n`;
  if (existsSync(built) && existsSync(`${built}.stamp`) && readFileSync(`${built}.stamp`, 'utf8') === stamp) return;
  const libFuzzer = libFuzzerSources(root);
  mkdirSync(join(root, '.cache/fuzz'), { recursive: true });
  const work = mkdtempSync(join(root, '.cache/fuzz/addon-'));
  try {
    mkdirSync(join(work, 'include'));
    symlinkSync(libFuzzer, join(work, 'include/fuzzer'));
    const headers = [join(work, 'include'), ...headerDirectories(fuzzer)];
    const sources = [
      ...globSync('*.cpp', { cwd: libFuzzer })
        .filter((file) => !LEFT_OUT.includes(file))
        .map((file) => join(libFuzzer, file)),
      ...globSync(['*.cpp', 'shared/*.cpp'], { cwd: fuzzer }).map((file) => join(fuzzer, file)),
      bridge,
    ];
    const objects = await compileAll(sources, headers, work);
    const output = join(work, 'jazzerjs.node');
    await run('g++', ['-shared', '-o', output, ...objects, '-lpthread']);
    mkdirSync(dirname(built), { recursive: true });
    renameSync(output, built);
    writeFileSync(`${built}.stamp`, stamp);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function compileAll(sources: readonly string[], headers: readonly string[], work: string): Promise<string[]> {
  const left = [...sources];
  const objects: string[] = [];
  const next = async (): Promise<void> => {
    for (let source = left.pop(); source !== undefined; source = left.pop()) {
      const object = join(work, `${basename(source)}.o`);
      objects.push(object);
      await run('g++', [...FLAGS, DEATH, ...headers.map((path) => `-I${path}`), '-c', source, '-o', object]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, next));
  return objects.sort();
}

/** The sources in the libfuzzer-sys crate of the lock file. */
function libFuzzerSources(root: string): string {
  const cwd = join(root, 'guest-init/fuzz');
  const args = ['metadata', '--locked', '--format-version=1'];
  const text = execFileSync('cargo', args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { packages } = JSON.parse(text) as { packages: { name: string; manifest_path: string }[] };
  const crate = packages.find(({ name }) => name === 'libfuzzer-sys');
  if (crate === undefined) throw new Error('guest-init/fuzz does not depend on libfuzzer-sys');
  return join(dirname(crate.manifest_path), 'libfuzzer');
}

function headerDirectories(fuzzer: string): string[] {
  const manifest = join(fuzzer, 'package.json');
  const cmake = join(packageDirectory(manifest, 'cmake-js'), 'package.json');
  return [packageDirectory(manifest, 'node-addon-api'), join(packageDirectory(cmake, 'node-api-headers'), 'include')];
}

/** Where a package lies that another one uses. */
function packageDirectory(user: string, name: string): string {
  const directories = createRequire(user).resolve.paths(name) ?? [];
  const found = directories
    .map((directory) => join(directory, name))
    .find((path) => existsSync(join(path, 'package.json')));
  if (found === undefined) throw new Error(`${name} is not installed; run npm run setup`);
  return found;
}
