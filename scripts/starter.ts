/**
 * Makes the starter image `a3s/starter:latest` in the home (A3S_BOX_HOME, default ~/.a3s-box) from this machine's
 * static busybox. The same busybox gives the same image, so doing it again changes nothing.
 */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { isBoxError, type LogFields, type Logger } from '@a3s-box/core';
import { makeStarterImage, OciImageStore, STARTER_IMAGE } from '@a3s-box/images-oci';

const BUSYBOX = '/bin/busybox';
/** The image plugin's state directory in a home: its package name with the slash as a plus sign. */
const STORE = 'plugins/@a3s-box+images-oci';

const quiet: Logger = { debug() {}, info() {}, warn: print, error: print, child: () => quiet };

function print(fields: LogFields, message: string): void {
  console.error(`starter image: ${message} ${JSON.stringify(fields)}`);
}

const home = resolve(process.env['A3S_BOX_HOME'] || join(homedir(), '.a3s-box'));
const directory = join(home, STORE);
mkdirSync(directory, { recursive: true, mode: 0o700 });
try {
  const begin = Date.now();
  await using store = await OciImageStore.open({ directory, logger: quiet });
  const image = await makeStarterImage(store, BUSYBOX, { signal: AbortSignal.timeout(60_000) });
  console.log(`starter image: ${STARTER_IMAGE} is ${image.id} (${Date.now() - begin} ms)`);
} catch (error) {
  if (!isBoxError(error)) throw error;
  console.error(`starter image: ${error.message}${error.hint === undefined ? '' : `\n  ${error.hint}`}`);
  process.exitCode = error.exitStatus;
}
