import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { executableLoaders, readableLibraries } from '@a3s-box/vmm';

/** An installed QEMU and what it needs to be able to read. */
export interface QemuBinary {
  readonly path: string;
  /** Changes whenever the executable does. */
  readonly identity: string;
}

/** For guests of the host's own architecture, by Node's name of it. */
const EXECUTABLES: Readonly<Record<string, string>> = { x64: 'qemu-system-x86_64' };
/** For guests of the other one. */
const FOREIGN_EXECUTABLES: Readonly<Record<string, string>> = { x64: 'qemu-system-aarch64' };
const DIRECTORIES = ['/usr/bin', '/usr/local/bin', '/usr/libexec'];

/** Its firmware, by name. */
const FIRMWARE = ['/usr/share/qemu', '/usr/local/share/qemu', '/usr/share/seabios', '/usr/share/qemu-firmware'];

/** @param configured absolute path from the plugin's settings */
export function findQemu(configured?: string): QemuBinary | undefined {
  const name = EXECUTABLES[process.arch];
  if (name === undefined) return undefined;
  return binaryOf(configured === undefined ? inDirectories(name) : [configured]);
}

/** The QEMU that emulates a processor which is not the host's. */
export function findForeignQemu(): QemuBinary | undefined {
  const name = FOREIGN_EXECUTABLES[process.arch];
  return name === undefined ? undefined : binaryOf(inDirectories(name));
}

function inDirectories(name: string): string[] {
  return DIRECTORIES.map((directory) => `${directory}/${name}`);
}

function binaryOf(candidates: readonly string[]): QemuBinary | undefined {
  const path = candidates.find(isExecutable);
  if (path === undefined) return undefined;
  const { size, mtimeMs, ino } = statSync(path);
  return { path, identity: `${path}:${ino}:${size}:${mtimeMs}` };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Asks the executable for its version, for example `7.2.22`; undefined when it has no answer. Tens of milliseconds. */
export async function qemuVersion(binary: QemuBinary, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(binary.path, ['--version'], { signal, env: {} });
    return /version ([0-9]+(\.[0-9]+)*)/.exec(stdout)?.[1];
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
}

/** What this QEMU reads by name at its start; everything else comes by descriptor. */
export function readablePaths(): string[] {
  return [...readableLibraries(), ...FIRMWARE.filter((path) => existsSync(path))];
}

export function executablePaths(binary: QemuBinary): string[] {
  return [binary.path, ...executableLoaders()];
}
