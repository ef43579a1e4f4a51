/** The real npm at work on a bind, for a user who is not root. Too slow under emulation for every run of the tests. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RunCommand } from './guest-loads.ts';

const USER = 1000;
const PACKAGES = 6;
/** Packs packages, installs the archives with their scripts and programs, and installs all of it anew from the lock file. */
const WORK = `
  set -e
  export HOME=/project npm_config_cache=/project/cache npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false
  mkdir packs app
  for i in $(seq 1 ${PACKAGES}); do
    mkdir -p src/p$i/lib
    echo "{\\"name\\":\\"p$i\\",\\"version\\":\\"1.0.$i\\",\\"bin\\":\\"cli.js\\",\\"scripts\\":{\\"postinstall\\":\\"echo $i > built\\"}}" > src/p$i/package.json
    printf '#!/usr/bin/env node\\nconsole.log(require("./lib"));\\n' > src/p$i/cli.js
    echo "module.exports = 'p' + $i;" > src/p$i/lib/index.js
  done
  npm pack --silent --pack-destination packs $(for i in $(seq 1 ${PACKAGES}); do echo ./src/p$i; done) > /dev/null
  cd app
  echo '{"name":"app","version":"1.0.0","scripts":{"all":"for p in node_modules/.bin/*; do $p; done"}}' > package.json
  npm install --silent ../packs/*.tgz
  npm ci --silent
  npm ls --silent > /dev/null
  npm run --silent all | sort
`;

/** @returns what was done, with the seconds that it took */
export async function npmOnBind(run: RunCommand): Promise<object> {
  const host = mkdtempSync(join(tmpdir(), 'npm-on-bind-'));
  try {
    const work = join(host, 'work');
    mkdirSync(work);
    chownSync(work, USER, USER);
    makeNode(join(host, 'root'));
    await ok(run, ['create', '--name', 'node-base', 'a3s/starter', 'true']);
    await ok(run, ['cp', `${join(host, 'root')}/.`, 'node-base:/']);
    await ok(run, ['commit', '-c', `USER ${USER}:${USER}`, '-c', 'WORKDIR /project', 'node-base', 'with-node']);
    await ok(run, ['rm', 'node-base']);
    const begin = performance.now();
    const printed = await ok(run, ['run', '--rm', '-m', '1g', '-v', `${work}:/project`, 'with-node', 'sh', '-c', WORK]);
    const seconds = Math.round((performance.now() - begin) / 1000);
    const names = Array.from({ length: PACKAGES }, (_, index) => `p${index + 1}`);
    assert.deepEqual(printed.trim().split('\n'), names.toSorted());
    assertInstalled(join(work, 'app/node_modules'), names);
    await ok(run, ['rmi', 'with-node']);
    return { packages: PACKAGES, seconds };
  } finally {
    rmSync(host, { recursive: true });
  }
}

function assertInstalled(modules: string, names: readonly string[]): void {
  for (const name of names) {
    const built = join(modules, name, 'built');
    assert.equal(readFileSync(built, 'utf8'), `${name.slice(1)}\n`);
    assert.deepEqual([lstatSync(built).uid, lstatSync(built).gid], [USER, USER]);
    assert.ok(lstatSync(join(modules, '.bin', name)).isSymbolicLink());
    assert.equal(lstatSync(join(modules, name, 'cli.js')).mode & 0o111, 0o111);
  }
  assert.deepEqual(readdirSync(join(modules, '.bin')).toSorted(), names.toSorted());
}

/** This machine's Node.js with npm and the libraries that it is linked to. */
function makeNode(root: string): void {
  const npm = dirname(dirname(realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim())));
  const node = realpathSync(process.execPath);
  const libraries = [...execFileSync('ldd', [node], { encoding: 'utf8' }).matchAll(/\/\S+/g)].map(([path]) => path);
  const copy = (from: string, to: string): void => cpSync(from, join(root, to), { recursive: true, dereference: true });
  for (const library of libraries) copy(library, library);
  copy(node, 'usr/bin/node');
  copy(npm, 'usr/lib/node_modules/npm');
  execFileSync('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/bin/npm')]);
}

async function ok(run: RunCommand, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(args);
  assert.equal(code, 0, `a3s-box ${args.join(' ')}: ${String(stderr)}`);
  return stdout.toString();
}
