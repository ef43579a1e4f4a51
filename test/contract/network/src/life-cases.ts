import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'mocha';
import type { EndpointRecord, NetworkEndpoint, PublishedPort, Traffic } from '@a3s-box/core';
import { attachmentOf, type Fixture, type NetworkSuiteOptions } from './fixture.js';

const onPaper = ({ record }: NetworkEndpoint): EndpointRecord => JSON.parse(JSON.stringify(record)) as EndpointRecord;

export function lifeCases(current: () => Fixture, options: NetworkSuiteOptions): void {
  probeCases(current, options);
  attachCases(current, options);
  adoptCases(current, options);
  trafficCases(current, options);
}

function probeCases(current: () => Fixture, { capabilities }: NetworkSuiteOptions): void {
  describe('probe', () => {
    it('says whether, why, and what it can', async () => {
      const { network, signal } = current();
      const probe = await network.probe({ signal });
      assert.equal(probe.usable, true, probe.reason);
      assert.ok(probe.reason.length > 0);
      const found = [...probe.capabilities].filter((capability) => capability !== 'ping');
      assert.deepEqual(found.sort(), [...capabilities].sort());
    });
  });
}

function attachCases(current: () => Fixture, options: NetworkSuiteOptions): void {
  describe('attach', () => {
    it('tells what the guest needs, and gives a record of plain JSON', async () => {
      const endpoint = await current().attach();
      const { addresses, gateways, nameServers, mtu } = endpoint.guest;
      for (const address of addresses) assert.match(address, /^[0-9a-f.:]+\/[0-9]+$/);
      assert.ok(gateways.length > 0 && nameServers.length > 0);
      assert.ok(mtu >= 1500);
      assert.match(attachmentOf(endpoint).mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
      assert.deepEqual(onPaper(endpoint), endpoint.record);
      assert.equal(endpoint.record.network, current().network.name);
    });

    it('gives two boxes cards of their own', async () => {
      const [one, two] = [await current().attach(), await current().attach()];
      assert.notEqual(attachmentOf(one).mac, attachmentOf(two).mac);
    });

    it('chooses a host port for 0', async () => {
      const port: PublishedPort = { hostAddress: '127.0.0.1', hostPort: 0, guestPort: 80, protocol: 'tcp' };
      const endpoint = await current().attach({ ports: [port, port, { ...port, protocol: 'udp' }] });
      const chosen = endpoint.ports.map(({ hostPort }) => hostPort);
      assert.ok(chosen.every((number) => number > 0) && new Set(chosen.slice(0, 2)).size === 2, String(chosen));
      assert.deepEqual(endpoint.ports[0], { ...port, hostPort: chosen[0] });
    });

    it('refuses a port that is taken, names it, and makes nothing', async () => {
      const taken = createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const hostPort = (taken.address() as { port: number }).port;
      const free: PublishedPort = { hostAddress: '127.0.0.1', hostPort: 0, guestPort: 80, protocol: 'tcp' };
      const spec = current().spec({ ports: [free, { ...free, hostPort }] });
      const { network, signal } = current();
      try {
        await assert.rejects(network.attach(spec, { signal }), (error: { code?: unknown; message?: string }) => {
          assert.equal(error.code, 'PORT_IN_USE');
          assert.ok(error.message?.includes(`127.0.0.1:${hostPort}`), error.message);
          return true;
        });
      } finally {
        taken.close();
      }
      assert.deepEqual(readdirSync(spec.directory), []);
    });

    it('refuses ports and addresses that cannot be', async () => {
      const { network, signal } = current();
      const good: PublishedPort = { hostAddress: '127.0.0.1', hostPort: 0, guestPort: 80, protocol: 'tcp' };
      const wrong: PublishedPort[][] = [
        [{ ...good, hostAddress: 'localhost' }],
        [{ ...good, hostAddress: '192.0.2.1' }],
        [{ ...good, hostPort: 65_536 }],
        [{ ...good, guestPort: 0 }],
        [{ ...good, protocol: 'sctp' as 'tcp' }],
        [
          { ...good, hostPort: 1 },
          { ...good, hostPort: 1 },
        ],
      ];
      for (const ports of wrong) {
        const attached = network.attach(current().spec({ ports }), { signal }).then((made) => current().keep(made));
        await assert.rejects(attached, { code: 'INVALID_ARGUMENT' }, JSON.stringify(ports));
      }
      const access = network.attach(current().spec({ hostAccess: [70_000] }), { signal });
      await assert.rejects(
        access.then((made) => current().keep(made)),
        { code: 'INVALID_ARGUMENT' },
      );
    });

    it('cancelled at any moment leaves nothing', async () => {
      for (const wait of [undefined, 0, 1, 2, 4, 8]) {
        const controller = new AbortController();
        const spec = current().spec();
        if (wait === undefined) controller.abort();
        const attached = current().network.attach(spec, controller);
        const outcome = attached.then(
          (endpoint) => current().keep(endpoint),
          (error: { code?: unknown }) => error.code,
        );
        if (wait !== undefined) await delay(wait);
        controller.abort();
        const ended = await outcome;
        if (typeof ended === 'object') {
          assert.notEqual(wait, undefined, 'cancelled before it began, it began');
          continue;
        }
        assert.equal(ended, 'CANCELLED');
        assert.deepEqual(readdirSync(spec.directory), []);
      }
    });

    it('leaves nothing after detach, which may be called twice', async () => {
      const { endpoint } = await current().connected();
      const pids = options.processes(endpoint.record);
      for (const pid of pids) process.kill(pid, 0);
      await Promise.all([endpoint.detach(), endpoint.detach()]);
      await endpoint.detach();
      for (const pid of pids) assert.ok(!existsSync(`/proc/${pid}`), `process ${pid} is left`);
      assert.ok(!existsSync(attachmentOf(endpoint).socket));
      const pending = Symbol();
      assert.equal(await Promise.race([endpoint.failed, delay(50, pending)]), pending);
    });

    it('tells when it has failed by itself', async () => {
      const { endpoint } = await current().connected();
      for (const pid of options.processes(endpoint.record)) process.kill(pid, 'SIGKILL');
      assert.match(await endpoint.failed, /.+/);
    });

    it('ends with the VMM', async () => {
      const { endpoint, guest } = await current().connected();
      await guest.disconnect();
      assert.match(await endpoint.failed, /.+/);
    });
  });
}

function adoptCases(current: () => Fixture, options: NetworkSuiteOptions): void {
  const adopt = async (record: EndpointRecord): Promise<NetworkEndpoint> =>
    current().keep(await current().network.adopt(record, { signal: current().signal }));

  describe('adopt', () => {
    it('takes over an endpoint that goes on working', async () => {
      const { endpoint, guest } = await current().connected();
      await endpoint.close();
      const second = await adopt(onPaper(endpoint));
      assert.deepEqual(second.record, endpoint.record);
      assert.deepEqual(
        [second.guest, second.ports, second.attachment],
        [endpoint.guest, endpoint.ports, endpoint.attachment],
      );
      assert.equal(await guest.ask('talkTcp', { ...current().tcp(), text: 'adopted' }), 'adopted');
      await second.detach();
      for (const pid of options.processes(endpoint.record)) assert.ok(!existsSync(`/proc/${pid}`));
    });

    it('takes over one that no VMM has connected to yet', async () => {
      const endpoint = await current().attach();
      await endpoint.close();
      const second = await adopt(onPaper(endpoint));
      const guest = await current().guest(second);
      assert.equal(await guest.ask('talkTcp', { ...current().tcp(), text: 'late' }), 'late');
    });

    it('sees the end of what it has adopted', async () => {
      const { endpoint, guest } = await current().connected();
      await endpoint.close();
      const second = await adopt(onPaper(endpoint));
      await guest.disconnect();
      assert.match(await second.failed, /.+/);
    });

    it('does not find what is gone, nor another process with its id', async () => {
      const endpoint = await current().attach();
      const record = onPaper(endpoint);
      const other = JSON.parse(
        JSON.stringify(record).replace(/"startTime":"[0-9]+"/, '"startTime":"1"'),
      ) as EndpointRecord;
      await assert.rejects(adopt(other), { code: 'NOT_FOUND' });
      await endpoint.detach();
      await assert.rejects(adopt(record), { code: 'NOT_FOUND' });
    });

    it('refuses a record of another network or version', async () => {
      const record = onPaper(await current().attach());
      await assert.rejects(adopt({ ...record, network: 'another' }), { code: 'INVALID_ARGUMENT' });
      await assert.rejects(adopt({ ...record, version: record.version + 1 }), { code: 'INVALID_ARGUMENT' });
    });
  });
}

function trafficCases(current: () => Fixture, { counts }: NetworkSuiteOptions): void {
  describe('traffic', () => {
    if (!counts) {
      it('is not told by who does not count', async () => {
        const endpoint = await current().attach();
        assert.equal(await endpoint.traffic(current()), undefined);
      });
      return;
    }

    it('counts what goes over it, and goes on when it is taken over', async () => {
      const { endpoint, guest } = await current().connected();
      const text = 'x'.repeat(10_000);
      const talk = async (): Promise<void> =>
        assert.equal(await guest.ask('talkTcp', { ...current().tcp(), text }), text);
      const before = await trafficOf(endpoint, current());
      await talk();
      const after = await trafficOf(endpoint, current());
      for (const direction of ['receivedBytes', 'sentBytes'] as const) {
        const moved = Number(after[direction] - before[direction]);
        assert.ok(moved >= text.length && moved < 3 * text.length, `${direction}: ${moved}`);
      }
      await endpoint.close();
      const second = current().keep(await current().network.adopt(onPaper(endpoint), { signal: current().signal }));
      const taken = await trafficOf(second, current());
      assert.ok(taken.receivedBytes >= after.receivedBytes && taken.sentBytes >= after.sentBytes);
      await talk();
      assert.ok((await trafficOf(second, current())).sentBytes >= taken.sentBytes + BigInt(text.length));
    });

    it('is counted for a guest that is not there yet', async () => {
      const endpoint = await current().attach();
      assert.deepEqual(await endpoint.traffic(current()), { receivedBytes: 0n, sentBytes: 0n });
      const guest = await current().guest(endpoint);
      assert.equal(await guest.ask('talkTcp', { ...current().tcp(), text: 'late' }), 'late');
    });

    it('cannot be had after detach, nor when the signal has fired', async () => {
      const endpoint = await current().attach();
      await assert.rejects(endpoint.traffic({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
      await endpoint.detach();
      await assert.rejects(endpoint.traffic(current()), { code: 'NETWORK_FAILED' });
    });
  });
}

async function trafficOf(endpoint: NetworkEndpoint, operation: Fixture): Promise<Traffic> {
  return (await endpoint.traffic(operation)) ?? assert.fail('nobody counts');
}
