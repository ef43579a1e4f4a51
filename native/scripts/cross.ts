// Compiles the libkrun launcher for a system that is not this one: with Debian's mingw-w64 for Windows, else with the zig that
// set-up installs. libkrun is loaded at run time, so that nothing of it is needed here.
//   node scripts/cross.ts DIRECTORY [TARGET...]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type CrossTarget = keyof typeof TARGETS;

const root = dirname(import.meta.dirname);
const ZIG = join(root, '..', '.toolchain', 'zig', 'ziglang', 'zig');
const SOURCES = ['document.c', 'json.c', 'krun_adapter.c', 'main.c', 'status.c'];
const FLAGS = [
  '-std=gnu11',
  '-D_GNU_SOURCE',
  '-O2',
  '-Wall',
  '-Wextra',
  '-Wconversion',
  '-Werror',
  '-fvisibility=hidden',
];

/** What is particular to each system. The C library's version is the oldest that Node.js itself runs on. */
const TARGETS = {
  'linux-arm64': {
    compiler: [ZIG, 'cc', '-target', 'aarch64-linux-gnu.2.28'],
    sources: ['inherited.c', 'platform_posix.c'],
    flags: ['-rdynamic', '-ldl', '-s'],
    executable: 'a3s-box-krun',
    library: 'libkrun.so.1.17.4',
    libraryFlags: ['-ldl', '-Wl,-soname,libkrun.so.1'],
  },
  'darwin-arm64': {
    compiler: [ZIG, 'cc', '-target', 'aarch64-macos.13.0'],
    sources: ['platform_posix.c'],
    flags: [],
    executable: 'a3s-box-krun',
    library: 'libkrun.1.17.4.dylib',
    libraryFlags: [],
  },
  'win32-x64': {
    compiler: ['x86_64-w64-mingw32-gcc'],
    sources: ['platform_windows.c'],
    flags: ['-s', '-static'],
    executable: 'a3s-box-krun.exe',
    library: 'krun.dll',
    libraryFlags: ['-s', '-static'],
  },
} as const;

/** How the recording libkrun is compiled for a target (recording-libkrun/build.ts). */
export interface LibraryCompiler {
  readonly compiler: readonly [program: string, ...options: string[]];
  readonly linker: readonly string[];
  readonly name: string;
}

export const CROSS_TARGETS = Object.keys(TARGETS) as CrossTarget[];

/** @returns undefined where the compiler for the target is not installed */
export function crossCompiler(target: CrossTarget): LibraryCompiler | undefined {
  const { compiler, library, libraryFlags } = TARGETS[target];
  const version = compiler[0] === ZIG ? 'version' : '--version';
  if (spawnSync(compiler[0], [version], { stdio: 'ignore' }).status !== 0) return undefined;
  return { compiler, linker: libraryFlags, name: library };
}

/** @returns the launcher's path, `DIRECTORY/TARGET/a3s-box-krun` */
export function crossBuild(target: CrossTarget, directory: string): string {
  const { compiler, sources, flags, executable } = TARGETS[target];
  const folder = join(directory, target);
  mkdirSync(folder, { recursive: true });
  const output = join(folder, executable);
  const files = [...SOURCES, ...sources].map((name) => join(root, 'launcher/krun', name));
  const [program, ...options] = compiler;
  execFileSync(program, [...options, ...FLAGS, '-o', output, ...files, ...flags], { stdio: 'inherit' });
  return output;
}

if (import.meta.main) {
  const [directory, ...targets] = process.argv.slice(2);
  const unknown = targets.find((name) => !(name in TARGETS));
  const chosen = targets.length === 0 ? CROSS_TARGETS : (targets as CrossTarget[]);
  if (directory === undefined || unknown !== undefined || chosen.some((name) => crossCompiler(name) === undefined)) {
    process.stderr.write(
      `usage: cross.ts DIRECTORY [${CROSS_TARGETS.join('|')}]...; the compilers come with sh scripts/setup.sh --tests\n`,
    );
    process.exit(2);
  }
  for (const target of chosen) process.stdout.write(`${crossBuild(target, directory)}\n`);
}
