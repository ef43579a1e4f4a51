import { existsSync } from 'node:fs';

/** The program that the system's dynamic linker starts with, by architecture. */
const LOADERS = [
  ...['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'],
  ...['/lib/ld-musl-x86_64.so.1', '/lib/ld-musl-aarch64.so.1'],
];
/** Libraries and the linker's cache: readable by everybody on any system. */
const LIBRARIES = ['/usr/lib', '/usr/lib64', '/lib', '/lib64', '/usr/local/lib', '/etc/ld.so.cache'];

/** What a program that is linked dynamically reads by name at its start. */
export function readableLibraries(): string[] {
  return LIBRARIES.filter((path) => existsSync(path));
}

/** What a program that is linked dynamically is started with. */
export function executableLoaders(): string[] {
  return LOADERS.filter((path) => existsSync(path));
}
