import assert from 'node:assert/strict';
import { spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { shareLauncherPath } from '../dist/index.js';

const AS_ROOT = process.getuid?.() === 0;
const USER = 65534;
/** As native's callers: a descriptor that only names a file. */
const O_PATH = 0o10000000;

interface Outcome {
  readonly output: string;
  /** The status descriptor's line; empty when the program ran. */
  readonly status: string;
}

interface Entry {
  readonly name: string;
  readonly mode: string;
  readonly path: string;
  /** What is opened, where that is not what is at `path`. */
  readonly opened?: string;
}

describe('a3s-box-share', function () {
  this.timeout(20_000);
  let directory: string;
  let launcher: string;
  const at = (name: string): string => join(directory, name);

  beforeEach(() => {
    // Not in the run's own directory: other users must reach it.
    directory = mkdtempSync('/tmp/share-');
    chmodSync(directory, 0o777);
    launcher = at('launcher');
    copyFileSync(shareLauncherPath() ?? '', launcher);
    for (const name of ['tree', 'rw', 'ro']) mkdirSync(at(name));
    writeFileSync(at('ro/file'), 'text');
    writeFileSync(at('single'), 'one');
    if (AS_ROOT) for (const name of ['tree', 'rw', 'ro', 'ro/file', 'single']) chownSync(at(name), USER, USER);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** Has a shell in the program's place. */
  async function run(script: string, entries: readonly Entry[], wrapper: readonly string[] = []): Promise<Outcome> {
    const sources = entries.map(({ path, opened = path }) => openSync(opened, O_PATH));
    const options = entries.flatMap(({ name, mode, path }, index) => ['--entry', name, mode, String(4 + index), path]);
    const keep = ['--keep', String(4 + entries.length), '--tree', at('tree')];
    const command = [...wrapper, launcher, ...keep, ...options, '--', '/bin/sh', '-c', `cd ${at('tree')}\n${script}`];
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', 'pipe', ...sources];
    const child = spawn(command[0] ?? '', command.slice(1), { stdio, env: { SECRET: 'of the host' } });
    for (const descriptor of sources) closeSync(descriptor);
    const read = async (stream: Readable): Promise<string> => (await stream.toArray()).join('');
    const [output, said, status] = await Promise.all([
      read(child.stdout as Readable),
      read(child.stderr as Readable),
      read(child.stdio[3] as Readable),
      once(child, 'close'),
    ]);
    return { output: output + said, status: status.trimEnd() };
  }

  const usual = (): Entry[] => [
    { name: 'v0', mode: 'rw', path: at('rw') },
    { name: 'v1', mode: 'ro', path: at('ro') },
    { name: 'v2', mode: 'ro', path: at('single') },
  ];
  const identities: [title: string, wrapper: readonly string[]][] = AS_ROOT
    ? [
        ['root', []],
        ['an ordinary user', ['setpriv', '--reuid', String(USER), '--regid', String(USER), '--clear-groups']],
      ]
    : [['an ordinary user', []]];

  for (const [title, wrapper] of identities) {
    describe(`started by ${title}`, () => {
      it('has the entries under their names, and nothing can be added', async () => {
        const script = 'ls; cat v1/file v2; echo; echo x > v0/new && echo written; mkdir more 2>&1';
        const { output, status } = await run(script, usual(), wrapper);
        assert.equal(status, '');
        assert.match(output, /^v0\nv1\nv2\ntextone\nwritten\nmkdir: .*Read-only file system\n$/);
        assert.equal(statSync(at('rw/new')).size, 2);
        assert.deepEqual(readdirSync(at('tree')), []);
      });

      it('has read-only entries that even its root cannot write', async () => {
        const script = 'id -u; echo x > v1/file; rm v1/file; chmod 777 v1/file; echo x > v2; echo x > v1/new';
        const { output, status } = await run(`(${script}) 2>/dev/null`, usual(), wrapper);
        assert.equal(status, '');
        assert.equal(output, '0\n');
        assert.deepEqual(readdirSync(at('ro')), ['file']);
        assert.equal(statSync(at('ro/file')).size, 4);
        assert.equal(statSync(at('single')).size, 3);
      });

      it('cannot make set-id programs or devices', async () => {
        const script = [
          'cp /bin/true v0/program',
          ...['4755', '2755', 'u+s', 'g+s'].map((mode) => `chmod ${mode} v0/program 2>/dev/null && echo ${mode}`),
          'mknod v0/block b 8 0 2>/dev/null && echo block',
          'mknod v0/char c 1 3 2>/dev/null && echo char',
          'mkfifo v0/pipe && echo pipe; chmod 1777 v0 && echo sticky; chmod 755 v0/program && echo plain',
        ].join('\n');
        const { output } = await run(script, usual(), wrapper);
        assert.equal(output, 'pipe\nsticky\nplain\n');
        assert.equal(statSync(at('rw/program')).mode & 0o7777, 0o755);
        assert.deepEqual(readdirSync(at('rw')).sort(), ['pipe', 'program']);
      });

      it('has none of the host’s environment and descriptors', async () => {
        const { output } = await run('echo "[$SECRET]"; ls /proc/self/fd | tr "\\n" " "', usual(), wrapper);
        // ls has its own descriptor of the directory.
        assert.match(output, /^\[\]\n0 1 2 3 $/);
      });
    });
  }

  it('refuses a path at which another file lies than the one that was opened', async () => {
    mkdirSync(at('other'));
    const { status } = await run('echo ran', [{ name: 'v0', mode: 'rw', path: at('rw'), opened: at('other') }]);
    assert.equal(status, `source 116 ${at('rw')}`);
    renameSync(at('rw'), at('away'));
    symlinkSync('away', at('rw'));
    const linked = await run('echo ran', [{ name: 'v0', mode: 'rw', path: at('rw') }]);
    assert.match(linked.status, /^source 40 /);
  });

  const wrong: [title: string, entry: Partial<Entry>][] = [
    ['a name with a slash', { name: 'a/b' }],
    ['a name that leads up', { name: '..' }],
    ['an unknown access', { mode: 'wo' }],
    ['a relative path', { path: 'rw', opened: '/' }],
  ];
  for (const [title, entry] of wrong) {
    it(`refuses ${title}`, async () => {
      const { status, output } = await run('echo ran', [{ name: 'v0', mode: 'rw', path: at('rw'), ...entry }]);
      assert.match(status, /^options 22 /);
      assert.equal(output, '');
    });
  }

  it('ends without having done anything when its owner goes', async () => {
    const source = openSync(at('rw'), O_PATH);
    const options = ['--keep', '5', '--await-owner', '--tree', at('tree'), '--entry', 'v0', 'rw', '4', at('rw')];
    const program = ['--', '/bin/sh', '-c', `echo x > ${at('ran')}`];
    const child = spawn(launcher, [...options, ...program], { stdio: ['pipe', 'ignore', 'ignore', 'pipe', source] });
    closeSync(source);
    child.stdin?.end();
    const status = (await (child.stdio[3] as Readable).toArray()).join('');
    assert.match(status, /^owner /);
    assert.ok(!existsSync(at('ran')));
  });
});
