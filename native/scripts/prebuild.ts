// Makes prebuilds/PLATFORM-ARCH: the addon, by prebuildify, and the executables. `npm pack` runs it (prepack).
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

interface Options {
  readonly cwd: string;
  readonly out: string;
  readonly name: string;
  readonly napi: boolean;
  readonly strip: boolean;
  readonly quiet: boolean;
  readonly nodeGyp: string;
  readonly targets: readonly string[];
}

const root = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);
const prebuildify = require('prebuildify') as (options: Options, done: (error?: Error) => void) => void;
const EXECUTABLES = ['a3s-box-confine', 'a3s-box-krun', 'a3s-box-probe-init', 'a3s-box-share'];

// In a copy: prebuildify moves what it builds away, and the build in place is in use.
const copy = join(root, 'build', 'prebuild');
rmSync(copy, { recursive: true, force: true });
mkdirSync(copy, { recursive: true });
for (const name of ['package.json', 'binding.gyp', 'addon', 'launcher', 'probe']) {
  cpSync(join(root, name), join(copy, name), { recursive: true });
}
const builds = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
rmSync(builds, { recursive: true, force: true });

// The headers that came with the running Node.js, so that nothing is fetched.
process.env['npm_config_nodedir'] = dirname(dirname(process.execPath));
const nodeGyp = join(dirname(require.resolve('node-gyp/package.json')), 'bin', 'node-gyp.js');
chmodSync(nodeGyp, 0o755);
const failure = await new Promise<Error | undefined>((resolve) =>
  prebuildify(
    {
      cwd: copy,
      out: root,
      name: '@a3s-box/native',
      napi: true,
      strip: true,
      quiet: true,
      nodeGyp,
      targets: [process.version],
    },
    resolve,
  ),
);
if (failure !== undefined) {
  process.stderr.write(`prebuildify: ${failure.message}\n`);
  process.exit(1);
}
const made = join(copy, 'build', 'Release');
for (const name of readdirSync(made).filter((file) => EXECUTABLES.includes(file))) {
  copyFileSync(join(made, name), join(builds, name));
}
rmSync(copy, { recursive: true });
