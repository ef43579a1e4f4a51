// Builds the addon and the executables with node-gyp, against the headers that came with the running Node.js, so that
// nothing is fetched. Does nothing when nothing changed.
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const nodeDirectory = dirname(dirname(process.execPath));

function inputs(): string {
  const hash = createHash('sha256').update(`${process.version} ${process.arch} ${nodeDirectory}\0`);
  const sources = ['addon', 'launcher', 'launcher/krun', 'launcher/share', 'probe'].flatMap((directory) =>
    readdirSync(join(root, directory), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => join(directory, name)),
  );
  for (const name of ['binding.gyp', 'package.json', ...sources.sort()]) {
    hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  }
  return hash.digest('hex');
}

const stamp = join(root, 'build', '.inputs');
const digest = inputs();
if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) process.exit(0);
if (!existsSync(join(nodeDirectory, 'include', 'node', 'node_api.h'))) {
  process.stderr.write(`no Node.js headers below ${nodeDirectory}: run the build with a Node.js that came with them\n`);
  process.exit(1);
}
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const result = spawnSync(process.execPath, [nodeGyp, 'rebuild', `--nodedir=${nodeDirectory}`], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'pipe'],
  encoding: 'utf8',
});
if (result.status !== 0) {
  process.stderr.write(`${result.stdout}${result.stderr}`);
  process.exit(result.status ?? 1);
}
mkdirSync(dirname(stamp), { recursive: true });
writeFileSync(stamp, digest);
