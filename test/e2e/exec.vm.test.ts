import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BIN, BoxCli, type Outcome } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';

describe('a3s-box exec', () => {
  let cli: BoxCli;
  let box: Promise<Outcome>;
  before(async () => {
    cli = await BoxCli.create();
    const started = Promise.withResolvers<void>();
    box = cli.run(
      [
        'run',
        '--rm',
        '--name',
        'web',
        '-e',
        'A=box',
        '-u',
        'nobody',
        '-m',
        '256m',
        IMAGE,
        'sh',
        '-c',
        'echo up; exec sleep 3600',
      ],
      {
        started: (child) => child.stdout?.once('data', () => started.resolve()),
      },
    );
    await Promise.race([started.promise, box.then(({ stderr }) => assert.fail(stderr))]);
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    await box;
  });

  it('runs one more command and ends with its status', async () => {
    const { code, stdout } = await cli.run(['exec', 'web', 'sh', '-c', 'echo "$A"; id -un; exit 5']);
    assert.equal(stdout.toString(), 'box\nnobody\n');
    assert.equal(code, 5);
  });

  it('takes user, directory and environment of its own [exec --user, exec --workdir, exec --env, exec --env-file]', async () => {
    const file = join(cli.home, 'variables');
    await writeFile(file, 'A=file\nB=file\n');
    const { stdout, stderr } = await cli.run([
      'exec',
      '--env-file',
      file,
      '-u',
      '0',
      '-w',
      '/tmp',
      '-e',
      'A=exec',
      'web',
      'sh',
      '-c',
      'echo $A $B $(pwd) $(id -u)',
    ]);
    assert.equal(stdout.toString(), 'exec file /tmp 0\n', stderr);
  });

  it('streams stdin with -i [exec --interactive]', async () => {
    const { stdout } = await cli.run(['exec', '-i', 'web', 'wc', '-c'], { stdin: Buffer.alloc(3_000_000) });
    assert.equal(stdout.toString().trim(), '3000000');
  });

  it('has a terminal with -t, and none without [exec --tty]', async () => {
    const test = ['web', 'sh', '-c', 'test -t 1 && tty || echo none'];
    assert.match((await cli.run(['exec', '-t', ...test])).stdout.toString(), /^\/dev\/pts\/\d+\r\n$/);
    assert.equal((await cli.run(['exec', ...test])).stdout.toString(), 'none\n');
  });

  it('leaves a command alone with -d [exec --detach]', async () => {
    const { code, stdout } = await cli.run([
      'exec',
      '-d',
      'web',
      'sh',
      '-c',
      'echo out; echo done > /tmp/detached; sleep 5',
    ]);
    assert.deepEqual([code, stdout.toString()], [0, '']);
    const wait = 'while ! test -s /tmp/detached; do sleep 0.1; done; cat /tmp/detached';
    assert.equal((await cli.run(['exec', 'web', 'sh', '-c', wait])).stdout.toString(), 'done\n');
  });

  it('shares the box’s processes and confinement', async () => {
    const { stdout } = await cli.run([
      'exec',
      'web',
      'sh',
      '-c',
      'cat /proc/1/cmdline | tr "\\0" " "; grep CapBnd /proc/1/status /proc/self/status',
    ]);
    assert.match(stdout.toString(), /^sleep 3600/);
    const [one, own] = [...stdout.toString().matchAll(/CapBnd:\s*(\w+)/g)].map((match) => match[1]);
    assert.equal(one, own);
  });

  it('has Docker’s statuses for what is not there', async () => {
    assert.equal((await cli.run(['exec', 'web', 'no-such-command'])).code, 127);
    assert.equal((await cli.run(['exec', 'web', '/tmp'])).code, 126);
    const nobox = await cli.run(['exec', 'nothing', 'true']);
    assert.equal(nobox.code, 1);
    assert.match(nobox.stderr, /no box "nothing"/);
  });

  it('goes on in a box whose image is removed by force [rmi --force]', async () => {
    const refused = await cli.run(['rmi', IMAGE]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /in use|used/);
    const removed = await cli.run(['rmi', '-f', IMAGE]);
    assert.equal(removed.code, 0, removed.stderr);
    assert.equal((await cli.run(['images', '--json'])).stdout.toString().trim(), '[]');
    assert.equal((await cli.run(['exec', 'web', 'cat', '/etc/hostname'])).code, 0);
  });
});

describe('a terminal', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  let terminals = 0;
  /** Runs a shell line in a terminal of its own (tmux) and types into it once something is shown. */
  function inTerminal(line: string, waitFor: string, keys: string): string {
    // A server of its own for each: the one before may still be on its way out.
    const socket = `a3s-test-${process.pid}-${++terminals}`;
    const tmux = (...args: string[]) => execFileSync('tmux', ['-L', socket, ...args], { encoding: 'utf8' });
    const env = `A3S_BOX_HOME=${cli.home}`;
    tmux(
      'new-session',
      '-d',
      '-x',
      '100',
      '-y',
      '30',
      '-s',
      't',
      `env ${env} ${line}; echo "[$?]"; tmux -L ${socket} wait-for -S done; sleep 60`,
    );
    try {
      while (!tmux('capture-pane', '-p', '-t', 't').includes(waitFor)) execFileSync('sleep', ['0.2']);
      tmux('send-keys', '-t', 't', keys);
      tmux('wait-for', 'done');
      return tmux('capture-pane', '-p', '-t', 't');
    } finally {
      tmux('kill-server');
    }
  }

  it('ends the workload with 130 on Ctrl-C', () => {
    const screen = inTerminal(`${BIN} run --rm -it -m 256m ${IMAGE} sh -c "echo up; sleep 600"`, 'up', 'C-c');
    assert.match(screen, /\[130\]/);
  });

  it('ends a workload that is the box’s first process and handles no signal, too', () => {
    const screen = inTerminal(`${BIN} run --rm -it -m 256m ${IMAGE} sh -c "echo up; exec sleep 600"`, 'up', 'C-c');
    assert.match(screen, /\[130\]/);
  });

  it('has the size of the user’s [run --tty]', () => {
    const screen = inTerminal(
      `${BIN} run --rm -it -m 256m ${IMAGE} sh -c "stty size; echo up; read x; echo got \\$x"`,
      'up',
      'hello\r',
    );
    assert.match(screen, /^30 100/m);
    assert.match(screen, /got hello/);
    assert.match(screen, /\[0\]/);
  });
});
