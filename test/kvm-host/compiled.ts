/** What tests in the host need compiled: it has no compiler, so it is made before it starts. */
import { globSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildRecordingLibkrun } from '../../native/recording-libkrun/build.ts';
import { contractGuestInit } from '../contract/hypervisor/dist/contract-guest.js';

const RECORDING_SOURCES = join(import.meta.dirname, '../../native/recording-libkrun');
/** In the host, where a confined VMM may read libraries: a copy of the libkrun that the recording one passes its calls on to. */
export const REAL_LIBKRUN = '/usr/local/lib/libkrun-recorded.so';
/** Writes its calls to standard error, and passes them on to {@link REAL_LIBKRUN}. */
export const RECORDING_LIBKRUN = join(import.meta.dirname, 'build/libkrun.so.1.17.4');

/** Compiles what is older than its sources. */
export function compileForHost(): void {
  contractGuestInit();
  const sources = globSync(join(RECORDING_SOURCES, '*'));
  const newest = Math.max(...[import.meta.filename, ...sources].map((path) => statSync(path).mtimeMs));
  if ((statSync(RECORDING_LIBKRUN, { throwIfNoEntry: false })?.mtimeMs ?? 0) > newest) return;
  const name = `libkrun.so.${process.pid}`;
  mkdirSync(dirname(RECORDING_LIBKRUN), { recursive: true });
  const defaults = { log: '/proc/self/fd/2', real: REAL_LIBKRUN };
  renameSync(buildRecordingLibkrun(dirname(RECORDING_LIBKRUN), { name, defaults }), RECORDING_LIBKRUN);
}
