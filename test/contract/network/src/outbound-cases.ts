import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { KNOWN } from './dns-server.js';
import type { Fixture, NetworkSuiteOptions } from './fixture.js';

const MANY = 1000;
const LARGE = 100 * 1000 * 1000;

export function outboundCases(current: () => Fixture, { capabilities }: NetworkSuiteOptions): void {
  const families = capabilities.includes('ipv6') ? ([4, 6] as const) : ([4] as const);

  for (const family of families) {
    describe(`outbound over IPv${family}`, () => {
      it('carries a connection, each side closing when it likes', async () => {
        const { guest } = await current().connected();
        assert.equal(await guest.ask('talkTcp', { ...current().tcp(family), text: 'hello' }), 'hello');
      });

      it('carries 100 MB whole in each direction', async () => {
        const { guest } = await current().connected();
        const place = { ...current().tcp(family), bytes: LARGE };
        const expected = { bytes: LARGE, sha256: await guest.ask('sha256', { bytes: LARGE }) };
        assert.deepEqual(await guest.ask('upload', place), expected);
        assert.deepEqual(await guest.ask('download', place), expected);
      });

      it('shows a refusal as a refusal', async () => {
        const { guest } = await current().connected();
        const place = { address: current().address(family), port: 1, text: '' };
        await assert.rejects(guest.ask('talkTcp', place), { code: 'ECONNREFUSED' });
      });

      it('survives connections that are reset', async () => {
        const { guest } = await current().connected();
        for (let at = 0; at < 20; at++) await guest.ask('resetAfter', { ...current().tcp(family), text: 'x' });
        assert.equal(await guest.ask('talkTcp', { ...current().tcp(family), text: 'after' }), 'after');
      });

      if (!capabilities.includes('udp')) return;
      it('carries datagrams, small ones and the largest that fit', async () => {
        const { guest } = await current().connected();
        for (const bytes of [1, 1400, 9000, 60_000]) {
          assert.equal(await guest.ask('talkUdp', { ...current().udp(family), bytes }), bytes);
        }
      });
    });
  }

  describe('many connections', () => {
    it(`carries ${MANY} in a row`, async () => {
      const { guest } = await current().connected();
      const times = await guest.ask('talkMany', { ...current().tcp(), count: MANY });
      assert.equal(times.length, MANY);
    });

    it('carries 200 at the same time', async () => {
      const { guest } = await current().connected();
      const talks = Array.from({ length: 200 }, (_, at) =>
        guest.ask('talkTcp', {
          ...current().tcp(at % 2 === 0 ? 4 : families[families.length - 1]),
          text: `number ${at}`,
        }),
      );
      assert.deepEqual(
        await Promise.all(talks),
        talks.map((_, at) => `number ${at}`),
      );
    });
  });

  describe('names', () => {
    it('are resolved by every name server that the guest is told', async () => {
      const { guest, endpoint } = await current().connected();
      for (const server of endpoint.guest.nameServers) {
        assert.deepEqual(await guest.ask('resolve', { server, name: 'host.test', kind: 'A' }), [KNOWN.a]);
        assert.deepEqual(await guest.ask('resolve', { server, name: 'host.test', kind: 'AAAA' }), [KNOWN.aaaa]);
      }
    });

    it('are resolved over TCP where the answer is too long', async () => {
      const { guest, endpoint } = await current().connected();
      const server = endpoint.guest.nameServers[0] ?? '';
      assert.deepEqual(await guest.ask('resolve', { server, name: 'long.test', kind: 'TXT' }), [KNOWN.text]);
    });

    it('that do not exist are told as that', async () => {
      const { guest, endpoint } = await current().connected();
      const server = endpoint.guest.nameServers[0] ?? '';
      await assert.rejects(guest.ask('resolve', { server, name: 'no.test', kind: 'A' }), { code: 'ENOTFOUND' });
    });
  });
}
