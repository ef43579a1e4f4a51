/** An image's volumes, and the work of tools on a bind: git itself, and what a package manager does with many small files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs } from '../support/skip.ts';
import { BoxCli } from './support/box-cli.ts';

const USER = 1000;
const PACKAGES = 25;
const SEED = `
  mkdir -p /srv/data/sub/deep && cd /srv/data
  echo one > file && chown 12:34 file && chmod 640 file && touch -d @1000 file
  ln file hard && ln -s file link && mkfifo sub/pipe && echo x > sub/deep/x && chown 56 sub/deep
  chown ${USER}:${USER} . && chmod 1775 .
`;
const GIT = `
  set -e
  export HOME=/work GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  git init -q -b main repo && cd repo
  for i in $(seq 1 20); do mkdir -p d$((i % 7)); echo "line $i" > d$((i % 7))/f$i; done
  ln -s d1/f1 link; echo '#!/bin/sh' > run; chmod 755 run
  git add . && git commit -q -m first
  git checkout -q -b other && git mv d1 moved && echo more >> run && git commit -q -a -m second
  git checkout -q main && test -d d1 && test ! -e moved
  echo here > d2/f2 && git stash -q && git merge -q other && git stash pop -q
  git gc -q && git fsck --strict --no-dangling && git status --porcelain
`;
/** Unpacked beside its place and renamed into it, links to programs, one file of many names, all of it twice. */
const INSTALL = `
  set -e
  for round in 1 2; do
    rm -rf node_modules && mkdir -p node_modules/.bin
    for i in $(seq 1 ${PACKAGES}); do
      t=node_modules/.p$i-new; mkdir -p $t/lib/a
      echo "{\\"name\\": \\"p$i\\"}" > $t/package.json; echo "// $i" > $t/lib/a/index.js; : > $t/cli.js
      chmod 755 $t/cli.js; chmod 600 $t/package.json; ln $t/lib/a/index.js $t/same.js
      mv $t node_modules/p$i; ln -s ../p$i/cli.js node_modules/.bin/p$i
    done
    echo "{\\"round\\": $round}" > .lock-new; mv .lock-new package-lock.json
  done
  for i in 1 ${PACKAGES}; do test -x node_modules/.bin/p$i; done
  find node_modules -type f | wc -l
`;

describe('work on volumes', function () {
  let cli: BoxCli;
  let host: string;

  async function ok(args: readonly string[], stdin?: Buffer): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args, stdin === undefined ? {} : { stdin });
    assert.equal(code, 0, stderr);
    return stdout.toString();
  }
  const sh = (script: string): Promise<string> => ok(['exec', 'box', 'sh', '-c', script]);

  before(async function () {
    needs(this, process.getuid?.() === 0, 'root');
    cli = await BoxCli.create();
    host = mkdtempSync(join(tmpdir(), 'work-'));
    mkdirSync(join(host, 'work'));
    chownSync(join(host, 'work'), USER, USER);
    await ok(['run', '--name', 'base', 'a3s/starter', 'sh', '-c', SEED]);
    await ok(['cp', '-', 'base:/'], hostsGit());
    const changes = ['VOLUME ["/srv/data", "/srv/none"]', `USER ${USER}:${USER}`, 'WORKDIR /work'];
    await ok(['commit', ...changes.flatMap((change) => ['-c', change]), 'base', 'worker']);
    await ok(['run', '-d', '--name', 'box', '-v', `${join(host, 'work')}:/work`, 'worker', 'sleep', '100000']);
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    if (host) rmSync(host, { recursive: true });
  });

  it('fills the volumes that an image asks for as the image has them', async () => {
    const found = await sh('cd /srv/data; stat -c "%n %u:%g %a %h" . file hard link sub/pipe sub/deep/x sub/deep');
    assert.deepEqual(found.trim().split('\n'), [
      ...['. 1000:1000 1775 3', 'file 12:34 640 2', 'hard 12:34 640 2', 'link 0:0 777 1'],
      ...['sub/pipe 0:0 644 1', 'sub/deep/x 0:0 644 1', 'sub/deep 56:0 755 2'],
    ]);
    assert.equal(
      await sh('stat -c %Y /srv/data/file; readlink /srv/data/link; ls -a /srv/none'),
      '1000\nfile\n.\n..\n',
    );
    const volumes = (await ok(['volume', 'ls', '-q'])).trim().split('\n');
    assert.deepEqual(
      volumes.map((name) => name.length),
      [64, 64],
    );
  });

  it('keeps what a box writes to them out of the next one’s, and goes with them', async () => {
    await sh('echo mine > /srv/data/mine');
    const next = await ok(['run', '--rm', 'worker', 'ls', '/srv/data']);
    assert.equal(next, 'file\nhard\nlink\nsub\n');
    assert.equal((await ok(['volume', 'ls', '-q'])).trim().split('\n').length, 2);
  });

  it('is what git needs, for a user who is not root', async () => {
    assert.equal(await sh(GIT), ' M d2/f2\n');
    const repo = join(host, 'work/repo');
    const git = (...args: string[]): string =>
      execFileSync('git', ['-c', 'safe.directory=*', '-C', repo, ...args], { encoding: 'utf8', stdio: 'pipe' });
    git('fsck', '--strict');
    assert.equal(git('status', '--porcelain'), ' M d2/f2\n');
    assert.equal(git('log', '--format=%s'), 'second\nfirst\n');
    assert.equal(lstatSync(join(repo, '.git/HEAD')).uid, USER);
  });

  it('is what a package manager needs', async () => {
    assert.equal((await sh(INSTALL)).trim(), String(PACKAGES * 4));
    const modules = join(host, 'work/node_modules');
    assert.equal(readdirSync(modules).length, PACKAGES + 1);
    const { mode, nlink, uid, gid } = lstatSync(join(modules, 'p7/same.js'));
    assert.deepEqual([mode & 0o7777, nlink, uid, gid], [0o644, 2, USER, USER]);
    assert.equal(lstatSync(join(modules, 'p7/package.json')).mode & 0o7777, 0o600);
    assert.equal(readFileSync(join(modules, '.bin/p9'), 'utf8'), '');
    assert.equal(readFileSync(join(host, 'work/package-lock.json'), 'utf8'), '{"round": 2}\n');
  });
});

/** This machine's git with the libraries that it is linked to, as an archive. */
function hostsGit(): Buffer {
  const git = execFileSync('sh', ['-c', 'readlink -f "$(command -v git)"'], { encoding: 'utf8' }).trim();
  const libraries = [...execFileSync('ldd', [git], { encoding: 'utf8' }).matchAll(/\/\S+/g)].map(([path]) => path);
  const options = ['-c', '--dereference', '--owner=0', '--group=0', '--transform', `s,^${git.slice(1)}$,usr/bin/git,`];
  const paths = [git, ...libraries].map((path) => path.slice(1));
  return execFileSync('tar', [...options, '-C', '/', ...paths], {
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
