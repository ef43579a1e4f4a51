import assert from 'node:assert/strict';
import { BoxClient } from '@a3s-box/core/client';
import { filesOfBoxes } from './support/home-files.ts';
import { BoxCli } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';
const SMALL = ['-m', '256m'];
const ID = /^[0-9a-f]{64}\n$/;

describe('boxes that go on by themselves', () => {
  let cli: BoxCli;
  before(async () => {
    cli = await BoxCli.create();
  });
  after(() => cli[Symbol.asyncDispose]());

  /** @returns what it printed, after it ended with 0 */
  async function output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args);
    assert.equal(code, 0, `a3s-box ${args.join(' ')}: ${stderr}`);
    return stdout.toString();
  }

  function detached(name: string, ...rest: string[]): Promise<string> {
    return output('run', '-d', '--name', name, ...SMALL, ...rest);
  }

  it('are listed, followed, waited for, looked at and removed [run --detach, ps --all, ps --quiet, ps --format, logs --follow, inspect --format]', async () => {
    const id = await detached('job', IMAGE, 'sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.3; done; exit 7');
    assert.match(id, ID);
    assert.match(await output('ps'), new RegExp(`^${id.slice(0, 12)} +${IMAGE} +"sh -c .+" .+ Up .+ job$`, 'm'));
    assert.equal(await output('logs', '-f', 'job'), '1\n2\n3\n');
    assert.equal(await output('wait', 'job'), '7\n');
    assert.equal(await output('ps', '-q'), '');
    assert.match(await output('ps', '-a', '--format', '{{.ID}} {{.Status}}'), /^[0-9a-f]{12} Exited \(7\) .* ago\n$/);
    const [box] = JSON.parse(await output('inspect', 'job')) as { Id: string; Path: string; State: object }[];
    assert.deepEqual([box?.Id, box?.Path], [id.trim(), 'sh']);
    assert.equal(
      await output('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}} {{.State.Running}}', 'job'),
      'exited 7 false\n',
    );
    assert.equal(await output('logs', 'job'), '1\n2\n3\n');
    assert.equal(await output('rm', 'job'), 'job\n');
    assert.equal(await output('ps', '-aq'), '');
    assert.deepEqual(await filesOfBoxes(cli.home), []);
  });

  it('have logs with both streams, a number of lines, times and points in time [logs --tail, logs --timestamps, logs --since, logs --until]', async () => {
    const script = 'echo one; echo two >&2; printf three; sleep 0.5; echo; printf "\\377\\000four"';
    await detached('logged', IMAGE, 'sh', '-c', script);
    await output('wait', 'logged');
    const all = await cli.run(['logs', 'logged']);
    assert.equal(all.stdout.toString('latin1'), 'one\nthree\n\u{ff}\0four');
    assert.equal(all.stderr, 'two\n');
    assert.equal((await cli.run(['logs', '-n', '1', 'logged'])).stdout.toString('latin1'), '\u{ff}\0four');
    const timed = (await cli.run(['logs', '-t', 'logged'])).stdout.toString('latin1').split('\n');
    const times = timed.map((line) => /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) /.exec(line)?.[1]);
    assert.equal(times.length, 3);
    assert.ok(
      times.every((time) => time !== undefined && Math.abs(Date.parse(time) - Date.now()) < 600_000),
      timed.join('|'),
    );
    assert.equal(await output('logs', '--until', '1h', 'logged'), '');
    assert.equal(
      (await cli.run(['logs', '--since', times[0]!, 'logged'])).stdout.toString('latin1'),
      all.stdout.toString('latin1'),
    );
    assert.equal(await output('rm', 'logged'), 'logged\n');
  });

  it('are stopped by their stop signal, and killed when that takes too long [run --stop-signal, stop --timeout]', async () => {
    const handles = 'trap "echo bye; exit 5" USR1; echo up; while :; do sleep 0.1; done';
    await detached('willing', '--stop-signal', 'USR1', IMAGE, 'sh', '-c', handles);
    await detached('stubborn', IMAGE, 'sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.1; done');
    for (const name of ['willing', 'stubborn']) await logged(name, 'up');
    const { code, stdout, stderr } = await cli.run(['stop', '-t', '2', 'willing', 'nobody', 'stubborn']);
    assert.deepEqual([code, stdout.toString()], [1, 'willing\nstubborn\n']);
    assert.match(stderr, /nobody/);
    assert.equal(await output('wait', 'willing', 'stubborn'), '5\n137\n');
    assert.equal(await output('logs', 'willing'), 'up\nbye\n');
    assert.equal(await output('rm', 'willing', 'stubborn'), 'willing\nstubborn\n');
  });

  it('get signals, and are removed while they run only by force [kill --signal, rm --force, ps --filter]', async () => {
    await detached('first', '-l', 'role=web', IMAGE, 'sleep', '600');
    await detached('second', '-l', 'role=db', '--rm', IMAGE, 'sleep', '600');
    const names = async (...args: string[]) => (await output('ps', '--format', '{{.Names}}', ...args)).split('\n');
    assert.deepEqual(await names(), ['second', 'first', '']);
    assert.deepEqual(await names('-f', 'label=role=web'), ['first', '']);
    assert.deepEqual(await names('-f', `ancestor=${IMAGE}`, '-f', 'since=first'), ['second', '']);
    const refused = await cli.run(['rm', 'first']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /first/);
    const waiting = output('wait', 'second');
    assert.equal(await output('kill', '-s', 'TERM', 'second'), 'second\n');
    assert.equal(await waiting, '143\n');
    assert.equal(await output('kill', 'first'), 'first\n');
    assert.equal(await output('wait', 'first'), '137\n');
    assert.deepEqual(await names('-a'), ['first', '']);
    await detached('third', IMAGE, 'sleep', '600');
    assert.equal(await output('rm', '-f', 'first', 'third'), 'first\nthird\n');
    assert.deepEqual(await names('-a'), ['']);
    assert.deepEqual(await filesOfBoxes(cli.home), []);
  });

  it('go on when the command in the foreground is killed', async () => {
    const script = 'i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo $i; sleep 0.1; done; exit 3';
    const { signal } = await cli.run(['run', '--name', 'left', ...SMALL, IMAGE, 'sh', '-c', script], {
      started: (child) => child.stdout?.once('data', () => child.kill('SIGKILL')),
    });
    assert.equal(signal, 'SIGKILL');
    assert.equal(await output('wait', 'left'), '3\n');
    assert.equal(await output('logs', 'left'), Array.from({ length: 20 }, (_, i) => `${i + 1}\n`).join(''));
    assert.equal(await output('rm', 'left'), 'left\n');
  });

  it('are not there when the start was given up', async () => {
    assert.equal(await output('ps', '-aq'), '');
    // A command to ask with would take longer to start than the box.
    using client = await BoxClient.connect({ home: cli.home });
    const early = happened(client, 'early', 'create');
    const { code, stdout } = await cli.run(['run', '-d', '--name', 'early', '-m', '304m', IMAGE, 'sleep', '600'], {
      // The supervisor has the box on record, and the guest boots: nobody else asks for this size.
      started: (child) => void early.then(() => child.kill('SIGINT')),
    });
    assert.deepEqual([code, stdout.toString()], [130, '']);
    // The command does not wait for the supervisor to clear away.
    await happened(client, 'early', 'destroy');
    assert.equal(await output('ps', '-aq'), '');
  });

  it('have names of their own [run --name]', async () => {
    await detached('only', IMAGE, 'sleep', '600');
    const again = await cli.run(['run', '-d', '--name', 'only', IMAGE, 'true']);
    assert.equal(again.code, 125);
    assert.match(again.stderr, /only/);
    assert.equal(await output('exec', 'only', 'echo', 'hi'), 'hi\n');
    await output('rm', '-f', 'only');
  });

  it('end the following of logs with 130 after Ctrl-C, and go on', async () => {
    await detached('loud', IMAGE, 'sh', '-c', 'while :; do echo line; sleep 0.1; done');
    const following = await cli.run(['logs', '-f', 'loud'], {
      started: (child) => child.stdout?.once('data', () => child.kill('SIGINT')),
    });
    assert.deepEqual([following.code, following.stderr], [130, '']);
    const closed = await cli.run(['logs', '-f', 'loud'], {
      started: (child) => child.stdout?.once('data', () => child.stdout?.destroy()),
    });
    assert.deepEqual([closed.code, closed.stderr], [141, '']);
    assert.match(await output('ps', '--format', '{{.Status}}'), /^Up /);
    await output('rm', '-f', 'loud');
  });

  /** Resolves once the log of a box holds a text. */
  async function logged(box: string, text: string): Promise<void> {
    const found = await cli.run(['logs', '-f', box], {
      started: (child) =>
        child.stdout?.on('data', (data: Buffer) => {
          if (data.includes(text)) child.kill('SIGINT');
        }),
    });
    assert.ok(found.stdout.includes(text));
  }

  /** Resolves once a box of this name is on record. */
  /** Resolves once something has happened to the box of a name. */
  async function happened(client: BoxClient, name: string, event: string): Promise<void> {
    const filters = [
      { name: 'container', value: name },
      { name: 'event', value: event },
    ];
    await client.watching.events({ filters, sinceNs: 1n }).next();
  }
});
