/** `npm run build`: builds the gateway for this machine, or makes sure that the prebuilt one can be used. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDirectory, gatewayPath, prebuiltIsCurrent } from '../dist/gateway-binary.js';
import { canBuild, cargoBuild } from './cargo.ts';

if (!prebuiltIsCurrent() && canBuild()) {
  const { binary, manifest } = cargoBuild();
  const directory = buildDirectory();
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'a3s-box-gateway.new'), binary, { mode: 0o755 });
  renameSync(join(directory, 'a3s-box-gateway.new'), join(directory, 'a3s-box-gateway'));
  writeFileSync(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
} else if (!prebuiltIsCurrent()) {
  console.error(
    'gateway: cargo is not there and the sources have changed; the prebuilt executable is older than they are',
  );
  process.exitCode = 1;
}
console.log(gatewayPath() ?? `gateway: nothing is built for ${process.platform}-${process.arch}`);
