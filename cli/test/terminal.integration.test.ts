import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { CliHome, type Running } from './support/cli.ts';

const CTRL_C = '\x03';
const CTRL_D = '\x04';

describe('a3s-box run on a terminal', function () {
  this.timeout(30_000);
  let cli: CliHome;
  beforeEach(() => (cli = new CliHome()));
  afterEach(() => cli.close());

  const settings = (file: string) => readFileSync(join(cli.parent, file), 'utf8');
  /** Runs a command between two looks at the terminal's settings. */
  const watched = (command: string): Running =>
    cli.startOnTerminal(`stty -g >before; ${command}; status=$?; stty -g >after; exit $status`);

  it('gives the workload a terminal of the size of ours, and ours back', async () => {
    const running = cli.startOnTerminal(
      'stty cols 101 rows 33; stty -g >before; a3s-box run -it IMG tty; status=$?; stty -g >after; exit $status',
    );
    assert.deepEqual((await running.outcome).status, 0);
    assert.equal(cli.spec['terminal'], true);
    assert.deepEqual(cli.spec['terminalSize'], { columns: 101, rows: 33 });
    assert.equal(settings('after'), settings('before'));
  });

  it('sends keys as they are typed', async () => {
    const running = watched('a3s-box run -it IMG sh -c "echo up; read line; echo got \\$line; exit 4"');
    await running.printed('up');
    running.child.stdin.write('word\r');
    const { status, stdout } = await running.outcome;
    assert.equal(status, 4);
    assert.match(stdout, /got word/);
    assert.equal(settings('after'), settings('before'));
  });

  it("leaves Ctrl-C to the workload's terminal, which ends it with 130", async () => {
    const running = watched('a3s-box run -it IMG sh -c "echo up; exec sleep 60"');
    await running.printed('up');
    running.child.stdin.write(CTRL_C);
    assert.equal((await running.outcome).status, 130);
    assert.deepEqual(cli.requests('signal'), [], 'the key went through stdin, not as a signal');
    assert.equal(settings('after'), settings('before'));
  });

  it('ends a workload without a terminal by Ctrl-C with 130', async () => {
    const running = watched('trap : INT; a3s-box run IMG sh -c "echo up; exec sleep 60"');
    await running.printed('up');
    running.child.stdin.write(CTRL_C);
    assert.equal((await running.outcome).status, 130);
    assert.equal(cli.requests('signal')[0]?.['signal'], 2);
  });

  it('ends stdin by Ctrl-D', async () => {
    const running = watched('a3s-box run -it IMG sh -c "echo up; cat; exit 6"');
    await running.printed('up');
    running.child.stdin.write(`x\r${CTRL_D}`);
    assert.equal((await running.outcome).status, 6);
  });

  it('leaves the box by the keys for that, and the box goes on [run --detach-keys]', async () => {
    for (const [flag, keys] of [
      ['', '\x10\x11'],
      ['--detach-keys ctrl-a,q', '\x01q'],
    ] as const) {
      const running = watched(`a3s-box run -it ${flag} IMG sh -c "echo up; exec sleep 60"`);
      await running.printed('up');
      running.child.stdin.write(keys);
      const { status, stdout } = await running.outcome;
      assert.equal(status, 0);
      assert.match(stdout, /read escape sequence/);
      assert.deepEqual(cli.requests('signal'), []);
      assert.equal(settings('after'), settings('before'));
    }
  });

  it('passes on a new size', async () => {
    const running = cli.startOnTerminal(
      'stty cols 80 rows 24; tty >tty; a3s-box run -it IMG sh -c "echo up; exec sleep 60"',
    );
    await running.printed('up');
    const [terminal] = settings('tty').split('\n');
    const resized = spawnSync('stty', ['-F', terminal!, 'cols', '120', 'rows', '40']);
    assert.equal(resized.status, 0, String(resized.stderr));
    while (!isDeepStrictEqual(cli.requests('resize').at(-1)?.['size'], { columns: 120, rows: 40 })) {
      await cli.requested('resize', cli.requests('resize').length + 1);
    }
    running.child.stdin.write(CTRL_C);
    assert.equal((await running.outcome).status, 130);
  });

  it('gives the terminal back when the supervisor is killed', async () => {
    const running = watched('a3s-box run -it IMG sh -c "echo up; cat"');
    await running.printed('up');
    process.kill(Number(settings('home/starts')), 'SIGKILL');
    const { status, stdout } = await running.outcome;
    assert.equal(status, 125);
    assert.match(stdout, /a3s-box: .*\r\n/);
    assert.equal(settings('after'), settings('before'));
  });

  it('gives the terminal back when it is ended by a signal', async () => {
    const running = watched(`sh -c 'echo $$ >pid; exec a3s-box run -it IMG sh -c "echo up; exec sleep 60"'`);
    await running.printed('up');
    process.kill(Number(settings('pid')), 'SIGTERM');
    await running.outcome;
    assert.equal(cli.requests('signal')[0]?.['signal'], 15);
    assert.equal(settings('after'), settings('before'));
  });
});
