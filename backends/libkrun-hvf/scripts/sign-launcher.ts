// Signs the launcher of this checkout or installation: npm run sign-launcher -w @a3s-box/libkrun-hvf [-- IDENTITY]
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { krunLauncherPath } from '@a3s-box/native';

const script = join(import.meta.dirname, 'sign-launcher.sh');
const { status } = spawnSync('/bin/sh', [script, krunLauncherPath() ?? '', ...process.argv.slice(2)], {
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
