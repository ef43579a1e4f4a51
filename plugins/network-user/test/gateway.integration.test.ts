import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Namespace, Outside } from '@a3s-box/contract-network';
import type { NetworkEndpoint } from '@a3s-box/core';
import { needs } from '../../../test/support/skip.ts';
import { gatewayPath, UserNetwork } from '../dist/index.js';
import { gatewayPid, silent } from './support.ts';

const operation = { signal: new AbortController().signal };

/** What a descriptor is of; nothing when it was closed since it was listed. */
function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function status(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'utf8');
}

describe('the gateway process', function () {
  this.timeout(60_000);
  let directory: string;
  const endpoints: NetworkEndpoint[] = [];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'gw-'));
  });
  afterEach(async () => {
    for (const endpoint of endpoints.splice(0)) await endpoint.detach();
    rmSync(directory, { recursive: true });
  });

  const network = new UserNetwork({ logger: silent });
  const attach = async (boxId = 'box'): Promise<NetworkEndpoint> => {
    const spec = { boxId, directory: mkdtempSync(join(directory, 'e')), ports: [], hostAccess: [] };
    const endpoint = await network.attach(spec, operation);
    endpoints.push(endpoint);
    return endpoint;
  };

  it('is confined before it takes a frame', async () => {
    const pid = gatewayPid((await attach()).record);
    assert.match(status(pid), /^NoNewPrivs:\t1$/m);
    assert.match(status(pid), /^Seccomp:\t2$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
      assert.match(status(pid), new RegExp(`^${set}:\t0+$`, 'm'));
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
    for (const limit of ['Max processes', 'Max core file size', 'Max file size']) {
      assert.match(limits, new RegExp(`^${limit} +0 +0 `, 'm'));
    }
    // A session of its own: field 6 of stat.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    assert.equal(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3], String(pid));
  });

  it('has no file open but /dev/null', async () => {
    const pid = gatewayPid((await attach()).record);
    const files = readdirSync(`/proc/${pid}/fd`).flatMap((number) => linkOf(`/proc/${pid}/fd/${number}`));
    const others = files.filter((file) => !/^(socket|pipe|anon_inode):/.test(file) && file !== '/dev/null');
    assert.deepEqual(others, []);
  });

  it('started by root runs under an id of its own', async function () {
    needs(this, process.getuid?.() === 0, 'root');
    const uids = [await attach('one'), await attach('two')].map(({ record }) => {
      const [, ...ids] = /^Uid:\t([0-9]+)\t([0-9]+)\t([0-9]+)\t([0-9]+)$/m.exec(status(gatewayPid(record))) ?? [];
      assert.equal(new Set(ids).size, 1);
      return Number(ids[0]);
    });
    assert.notEqual(uids[0], uids[1]);
    for (const uid of uids) assert.ok(uid >= 0x7801_0000 && uid <= 0x7801_ffff, String(uid));
  });

  it('makes a socket that only its owner can use, for one VMM', async () => {
    const socket = (await attach()).attachment?.socket ?? '';
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    const first = connect(socket);
    await once(first, 'connect');
    await delay(50);
    const second = connect(socket);
    await assert.rejects(once(second, 'connect'), { code: 'ECONNREFUSED' });
    first.destroy();
  });

  it('takes little memory and does not wake up while nothing happens', async () => {
    const pid = gatewayPid((await attach()).record);
    await delay(200);
    const switches = (): number => Number(/^voluntary_ctxt_switches:\t([0-9]+)$/m.exec(status(pid))?.[1]);
    const before = switches();
    await delay(2000);
    assert.equal(switches(), before);
    const pss = Number(/^Pss: +([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
    assert.ok(pss > 0 && pss < 4096, `${pss} KiB`);
  });

  it('refuses a configuration with an unknown key, and root without an identity', async () => {
    const refusal = (config: object): { error?: { code: string; message: string } } => {
      const input = `${JSON.stringify(config)}\n`;
      const run = (): string => execFileSync(gatewayPath() ?? '', { input, encoding: 'utf8' });
      let caught: unknown;
      try {
        run();
      } catch (error) {
        caught = error;
      }
      return JSON.parse((caught as { stdout: string }).stdout) as { error: { code: string; message: string } };
    };
    const end = (last: number) => ({ mac: `02:00:00:00:00:0${last}`, ipv4: `10.73.0.${last}`, ipv6: `fd00::${last}` });
    const config = {
      ...{ version: 1, socket: join(directory, 'x.sock'), counters: join(directory, 'y.sock') },
      ...{ mtu: 1500, guest: end(2), gateway: end(1) },
      ...{ hostAccess: { ipv4: '10.73.0.3', ipv6: 'fd00::3', ports: [] }, ports: [], nameServers: [] },
    };
    assert.equal(refusal({ ...config, surprise: 1 }).error?.code, 'INVALID_ARGUMENT');
    if (process.getuid?.() !== 0) return;
    assert.equal(refusal(config).error?.code, 'CONFINEMENT_FAILED');
    assert.ok(!existsSync(config.socket) && !existsSync(config.counters));
  });

  it('tells whoever has the right to ask what the VMM sent, whatever it was', async () => {
    const endpoint = await attach();
    const counters = endpoint.record.details['counters'] as string;
    assert.equal(statSync(counters).mode & 0o777, 0o600);
    const vmm = connect(endpoint.attachment?.socket ?? '');
    await once(vmm, 'connect');
    // Two frames of nobody.
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 60]), Buffer.alloc(60)]);
    vmm.write(Buffer.concat([frame, frame]));
    const sentBytes = async (): Promise<bigint | undefined> => (await endpoint.traffic(operation))?.sentBytes;
    for (let asked = 0; (await sentBytes()) !== 120n; asked++) assert.ok(asked < 1000, 'they are not counted');
    assert.deepEqual(await endpoint.traffic(operation), { receivedBytes: 0n, sentBytes: 120n });
    vmm.destroy();
  });

  it('of a version that counted nothing is taken over', async () => {
    const endpoint = await attach();
    const { counters: _, ...details } = endpoint.record.details;
    const old = await network.adopt({ ...endpoint.record, details }, operation);
    assert.equal(await old.traffic(operation), undefined);
    await old.close();
  });

  it('that answers too little or too much is not believed', async () => {
    const endpoint = await attach();
    const path = join(directory, 'liar.sock');
    for (const bytes of [0, 15, 17]) {
      const liar = createServer((socket) => socket.end(Buffer.alloc(bytes))).listen(path);
      await once(liar, 'listening');
      const details = { ...endpoint.record.details, counters: path };
      const deceived = await network.adopt({ ...endpoint.record, details }, operation);
      await assert.rejects(deceived.traffic(operation), { code: 'NETWORK_FAILED' }, `${bytes} bytes`);
      await deceived.close();
      liar.close();
      await once(liar, 'close');
    }
  });

  it('outlives who started it, and ends with its VMM', async () => {
    const script = `
      import { UserNetwork } from ${JSON.stringify(join(import.meta.dirname, '../dist/index.js'))};
      const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
      const spec = { boxId: 'b', directory: ${JSON.stringify(directory)}, ports: [], hostAccess: [] };
      const endpoint = await new UserNetwork({ logger: log }).attach(spec, { signal: new AbortController().signal });
      console.log(JSON.stringify(endpoint.record));
      setInterval(() => {}, 1000);`;
    const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(starter.stdout, 'data')) as [Buffer];
    const gone = once(starter, 'exit');
    starter.kill('SIGKILL');
    await gone;
    const endpoint = await network.adopt(JSON.parse(line.toString()) as NetworkEndpoint['record'], operation);
    endpoints.push(endpoint);
    const vmm = connect(endpoint.attachment?.socket ?? '');
    await once(vmm, 'connect');
    await delay(50);
    assert.ok(existsSync(`/proc/${gatewayPid(endpoint.record)}`));
    vmm.destroy();
    assert.match(await endpoint.failed, /gateway/);
  });

  it('ends by itself when who started it is gone and no VMM comes', async function () {
    this.timeout(45_000);
    const endpoint = await attach();
    const began = Date.now();
    await endpoint.close();
    const second = await network.adopt(endpoint.record, operation);
    endpoints.push(second);
    await second.failed;
    const waited = Date.now() - began;
    assert.ok(waited > 25_000 && waited < 40_000, `${waited} ms`);
  });

  it('carries ping to the outside where the host allows ping sockets', async function () {
    needs(this, process.getuid?.() === 0, 'root, for network namespaces,');
    await using outside = new Outside();
    await using guest = Namespace.make('ping');
    // The gateway runs beside its target here, where the test may set what the host allows.
    const { namespace } = outside;
    namespace.run('sh', '-c', 'echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range');
    const beside = new UserNetwork({
      logger: silent,
      launcher: ['/usr/bin/env', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'ip', 'netns', 'exec', namespace.name],
    });
    assert.ok((await beside.probe(operation)).capabilities.has('ping'));
    const spec = { boxId: 'ping', directory, ports: [], hostAccess: [] };
    const endpoint = await beside.attach(spec, operation);
    endpoints.push(endpoint);
    await guest.connect(endpoint.attachment ?? { socket: '', mac: '' }, endpoint.guest);
    for (const address of [outside.ipv4, outside.ipv6]) {
      assert.match(guest.run('busybox', 'ping', '-c', '2', '-W', '5', address), /2 packets received/);
    }
  });
});
