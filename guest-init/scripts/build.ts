/** `npm run build`: builds guest-init for this machine, or makes sure that the prebuilt one can be used. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDirectory, guestInitPath, prebuiltIsCurrent } from '../index.js';
import { cargoBuild, cargoIsThere, HOST } from './cargo.ts';

if (HOST !== undefined && !prebuiltIsCurrent() && cargoIsThere()) {
  const { binary, manifest } = cargoBuild(HOST);
  const directory = buildDirectory();
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'guest-init.new'), binary, { mode: 0o755 });
  renameSync(join(directory, 'guest-init.new'), join(directory, 'guest-init'));
  writeFileSync(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
} else if (!prebuiltIsCurrent()) {
  console.error(
    'guest-init: cargo is not there and the sources have changed; the prebuilt executable is older than they are',
  );
  process.exitCode = 1;
}
console.log(guestInitPath() ?? `guest-init: nothing is built for ${process.arch}`);
