import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { inspect } from 'node:util';
import { BoxClient, type BoxEvent, type BoxUsage } from '@a3s-box/core/client';
import { BoxCli } from './support/box-cli.ts';

const IMAGE = 'a3s/starter';
const SMALL = ['-m', '256m'];
/** A box that may do with its kernel what it likes. */
const OPEN = ['--privileged', '-p', '127.0.0.1::80'];
const WRITTEN = 8 * 1024 * 1024;
const MOVED = 300_000;
/** Takes the card to where the agent does not look. */
const HIDE_CARD =
  'nsenter -t 1 -n ip link set eth0 netns $$; sleep 1000 >/dev/null 2>&1 & nsenter -t 1 -n cat /proc/net/dev';
const WORK = 'dd if=/dev/zero of=/f bs=1M count=8 conv=fsync 2>/dev/null; echo ready; exec sleep 1000';

interface EventDocument {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
}

describe('watching boxes', () => {
  let cli: BoxCli;
  let id: string;

  before(async () => {
    cli = await BoxCli.create();
    id = (
      await output('run', '-d', '--name', 'web', '--label', 'tier=front', ...SMALL, ...OPEN, IMAGE, 'sh', '-c', WORK)
    ).trim();
    await output('create', '--name', 'resting', ...SMALL, IMAGE, 'true');
    using client = await BoxClient.connect({ home: cli.home });
    for await (const { data } of client.logs('web', { follow: true })) if (data.includes('ready')) break;
  });
  after(() => cli[Symbol.asyncDispose]());

  /** @returns what it printed, after it ended with 0 */
  async function output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args);
    assert.equal(code, 0, `a3s-box ${args.join(' ')}: ${stderr}`);
    return stdout.toString();
  }

  /** What the client is told that a box uses. */
  async function usage(box: string): Promise<BoxUsage> {
    using client = await BoxClient.connect({ home: cli.home });
    // Under load a guest may leave a sample out.
    for await (const [stats] of client.watching.stats({ boxes: [box] })) if (stats?.usage) return stats.usage;
    return assert.fail('no sample');
  }

  const now = () => String(Date.now() / 1000);
  const jsonLines = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);

  describe('that run', () => {
    it('shows what went over disks and network as the host counted it, whatever becomes of the guest’s own figures', async () => {
      const host = (await output('port', 'web', '80')).trim().split(':');
      const taken = cli.run([
        'exec',
        'web',
        'sh',
        '-c',
        `head -c ${MOVED} /dev/zero | nc -l -p 80 | head -c ${MOVED} | wc -c`,
      ]);
      const over = new AbortController();
      void taken.then(() => over.abort());
      await exchange(Number(host[1]), MOVED, over.signal);
      assert.equal((await taken).stdout.toString().trim(), String(MOVED));
      const before = await usage('web');
      assert.deepEqual([before.networkByHost, before.blockByHost], [true, true]);
      assert.ok(before.networkReceivedBytes >= MOVED && before.networkSentBytes >= MOVED, inspect(before));
      assert.ok(before.blockWrittenBytes >= WRITTEN, inspect(before));
      const guest = await output('exec', 'web', 'unshare', '-n', 'sh', '-c', HIDE_CARD);
      assert.ok(guest.includes('lo:') && !guest.includes('eth0'), guest);
      const after = await usage('web');
      assert.ok(after.networkReceivedBytes >= before.networkReceivedBytes, inspect(after));
      assert.ok(after.networkSentBytes >= before.networkSentBytes, inspect(after));
      assert.ok(after.blockWrittenBytes >= before.blockWrittenBytes, inspect(after));
    });

    it('shows what they use, once [stats --no-stream, stats --format]', async () => {
      await output('exec', '-d', 'web', 'sh', '-c', 'while :; do :; done');
      const [row, ...others] = jsonLines(await output('stats', '--no-stream', '--format', 'json'));
      assert.deepEqual([others, row?.['Name'], row?.['ID']], [[], 'web', id.slice(0, 12)]);
      const { CPUPerc = '', MemUsage = '', MemPerc = '', NetIO = '', BlockIO = '', PIDs, HostMem = '' } = row ?? {};
      assert.ok(parseFloat(CPUPerc) > 20 && parseFloat(CPUPerc) < 130, CPUPerc);
      assert.match(MemUsage, /^[\d.]+[KM]iB \/ 2\d\d(\.\d+)?MiB$/);
      assert.ok(parseFloat(MemPerc) > 0 && parseFloat(MemPerc) < 60, MemPerc);
      assert.match(NetIO, /^[\d.]+k?B \/ [\d.]+k?B$/);
      assert.match(BlockIO, /^[\d.]+[kM]?B \/ ([89]|[1-3]\d)(\.\d+)?MB$/);
      // Its main process, the loop, and what holds the card.
      assert.equal(PIDs, '3');
      assert.match(HostMem, /^[\d.]+[MG]iB$/);
    });

    it('shows those that do not run too, with whole ids [stats --all, stats --no-trunc]', async () => {
      const text = await output('stats', '-a', '--no-stream', '--no-trunc');
      const [head = '', ...rows] = text.trimEnd().split('\n');
      assert.match(head, /^BOX ID +NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS +HOST MEM$/);
      assert.equal(rows.length, 2);
      assert.ok(
        rows.some((row) => row.startsWith(id)),
        text,
      );
      assert.ok(
        rows.some((row) => /resting +-- +-- \/ --/.test(row)),
        text,
      );
    });

    it('goes on telling each second, and refuses boxes that there are not', async () => {
      using client = await BoxClient.connect({ home: cli.home });
      const cpu: (number | undefined)[] = [];
      for await (const [box] of client.watching.stats({ boxes: ['web'], intervalMs: 200 })) {
        cpu.push(box?.usage?.cpuPercent);
        if (cpu.length === 3) break;
      }
      assert.equal(cpu[0], undefined);
      assert.ok(
        cpu.slice(1).every((percent) => percent !== undefined && percent > 0),
        String(cpu),
      );
      const { code, stderr } = await cli.run(['stats', 'nobody']);
      assert.notEqual(code, 0);
      assert.match(stderr, /nobody/);
    });
  });

  describe('from their beginning to their end', () => {
    it('tells what happened in its order, with exit statuses [events --since, events --until, events --format]', async () => {
      const since = now();
      await cli.run(['run', '--rm', '--name', 'short', '--label', 'a=b', ...SMALL, IMAGE, 'sh', '-c', 'exit 7']);
      const text = await output('events', '--since', since, '--until', now(), '--format', '{{json .}}');
      const events = jsonLines(text) as unknown as EventDocument[];
      const told = events.map(({ Type, Action, Actor }) => [Type, Action, Actor.Attributes['exitCode'] ?? '']);
      assert.deepEqual(told, [
        ['container', 'create', ''],
        ['network', 'connect', ''],
        ['container', 'start', ''],
        ['container', 'die', '7'],
        ['network', 'disconnect', ''],
        ['container', 'destroy', ''],
      ]);
      const [created] = events;
      assert.deepEqual(created?.Actor.Attributes, { a: 'b', image: IMAGE, name: 'short' });
      assert.ok(events.every(({ timeNano }) => timeNano >= Number(since) * 1e9 - 1e6));
    });

    it('tells what happens as it does, of what was asked for [events --filter]', async () => {
      using client = await BoxClient.connect({ home: cli.home });
      const ending = new AbortController();
      const seen: BoxEvent[] = [];
      const filters = [
        { name: 'type', value: 'container' },
        { name: 'container', value: 'web' },
      ];
      const sinceNs = BigInt(Date.now()) * 1_000_000n;
      const reading = (async () => {
        for await (const event of client.watching.events({ filters, sinceNs, signal: ending.signal })) {
          seen.push(event);
          if (event.action === 'restart') break;
        }
      })();
      assert.equal((await cli.run(['exec', 'web', 'sh', '-c', 'exit 3'])).code, 3);
      await output('pause', 'web');
      await output('unpause', 'web');
      await output('rename', 'web', 'web2');
      await output('rename', 'web2', 'web');
      await output('update', '--restart', 'on-failure:1', 'web');
      await output('restart', '-t', '0', 'web');
      await reading;
      const actions = seen.map(({ action }) => action).filter((action) => !/^exec_die/.test(action));
      assert.deepEqual(actions, [
        'exec_create: sh -c exit 3',
        'exec_start: sh -c exit 3',
        'pause',
        'unpause',
        'rename',
        'rename',
        'update',
        'kill',
        'die',
        'stop',
        'start',
        'restart',
      ]);
      const died = seen.find(({ action }) => action === 'exec_die');
      assert.equal(died?.actor.attributes['exitCode'], '3');
      const text = await output(
        'events',
        '--since',
        '5m',
        '--until',
        now(),
        '--filter',
        'event=die',
        '-f',
        'container=web',
      );
      assert.match(
        text,
        /^\d{4}-\d\d-\d\dT[\d:.]+\S* container die [0-9a-f]{64} \(.*exitCode=137, image=a3s\/starter, name=web, tier=front\)\n$/,
      );
    });

    it('tells of an end for lack of memory', async () => {
      const since = now();
      await cli.run(['run', '--name', 'eater', ...SMALL, IMAGE, 'tail', '/dev/zero']);
      const filter = ['-f', 'container=eater', '--format', '{{.Action}}'];
      assert.equal(await output('events', '--since', since, '--until', now(), ...filter), 'create\nstart\noom\ndie\n');
    });
  });
});

/** Sends so many bytes and takes as many from who listens at a port, trying until then. @param over nobody will */
async function exchange(port: number, bytes: number, over: AbortSignal): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      let received = 0;
      const written = new Promise((resolve) => socket.write(Buffer.alloc(bytes), resolve));
      for await (const part of socket) {
        received += (part as Buffer).length;
        if (received < bytes) continue;
        await written;
        return;
      }
    } catch (error) {
      if (!['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    assert.ok(!over.aborted, 'nobody listens in the box any more');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
