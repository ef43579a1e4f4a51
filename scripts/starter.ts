/**
 * Makes the starter image `a3s/starter:latest` in the home (A3S_BOX_HOME, default ~/.a3s-box) from this machine's
 * static busybox. The same busybox gives the same image, so doing it again changes nothing.
 *
 *     node scripts/starter.ts [--arm64 FILE]    FILE: a static busybox for arm64, of the same build as this machine's;
 *                                               then `a3s/starter:arm64` is made from it
 */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isBoxError, type LogFields, type Logger } from '@a3s-box/core';
import { ARM64_STARTER_IMAGE, makeStarterImage, OciImageStore, STARTER_IMAGE } from '@a3s-box/images-oci';

const BUSYBOX = '/bin/busybox';
/** The image plugin's state directory in a home: its package name with the slash as a plus sign. */
const STORE = 'plugins/@a3s-box+images-oci';

const quiet: Logger = { debug() {}, info() {}, warn: print, error: print, child: () => quiet };

function print(fields: LogFields, message: string): void {
  console.error(`starter image: ${message} ${JSON.stringify(fields)}`);
}

const { arm64 } = parseArgs({ options: { arm64: { type: 'string' } } }).values;
const platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
const name = arm64 === undefined ? STARTER_IMAGE : ARM64_STARTER_IMAGE;
const home = resolve(process.env['A3S_BOX_HOME'] || join(homedir(), '.a3s-box'));
const directory = join(home, STORE);
mkdirSync(directory, { recursive: true, mode: 0o700 });
try {
  const begin = Date.now();
  await using store = await OciImageStore.open({ directory, logger: quiet });
  const image = await makeStarterImage(store, arm64 ?? BUSYBOX, {
    signal: AbortSignal.timeout(60_000),
    ...(arm64 !== undefined && { foreign: { platform, name, twin: BUSYBOX } }),
  });
  console.log(`starter image: ${name} is ${image.id} (${Date.now() - begin} ms)`);
} catch (error) {
  if (!isBoxError(error)) throw error;
  console.error(`starter image: ${error.message}${error.hint === undefined ? '' : `\n  ${error.hint}`}`);
  process.exitCode = error.exitStatus;
}
