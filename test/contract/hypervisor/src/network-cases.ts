import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { Fixture } from './fixture.js';

const MAC = '02:00:00:00:00:01';
/** EtherType for experiments on one's own link (IEEE 802). */
const EXPERIMENTAL = 0x88b5;
const SHAPE = { vcpus: 1, memoryBytes: 256 * 1024 * 1024, network: true, share: false };

/** The other end of a card: sends each text back, turned round. */
function answer(peer: Socket): void {
  let received = Buffer.alloc(0);
  peer.on('error', () => undefined);
  peer.on('data', (data: Buffer) => {
    received = Buffer.concat([received, data]);
    while (received.length >= 4 && received.length >= 4 + received.readUInt32BE()) {
      const end = 4 + received.readUInt32BE();
      const frame = received.subarray(4, end);
      received = received.subarray(end);
      if (frame.readUInt16BE(12) !== EXPERIMENTAL) continue;
      const text = frame.subarray(14).toString('latin1').replaceAll('\0', '');
      const reply = Buffer.alloc(4 + 60);
      reply.writeUInt32BE(60);
      reply.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, EXPERIMENTAL >> 8, EXPERIMENTAL & 0xff], 4);
      reply.set(Buffer.from(text, 'latin1').reverse(), 4 + 14);
      peer.write(reply);
    }
  });
}

export function networkCases(current: () => Fixture, declared: boolean): void {
  if (!declared) return;
  describe('network card', () => {
    it('carries Ethernet frames behind their length, and leaves with the VM', async () => {
      const socket = join(current().directory(), 'net.sock');
      const server = createServer().listen(socket);
      await once(server, 'listening');
      try {
        const accepted = once(server, 'connection') as Promise<[Socket]>;
        const vm = await current().start({ shape: SHAPE, network: { socket, mac: MAC } });
        const [peer] = await accepted;
        answer(peer);
        using guest = await current().guest(vm);
        assert.equal(await guest.ask('frame hello'), 'olleh');
        const closed = once(peer, 'close');
        await vm.kill();
        await closed;
      } finally {
        server.close();
      }
    });

    it('and its socket come together', async () => {
      const { hypervisor, signal } = current();
      const network = { socket: '/nonexistent/net.sock', mac: MAC };
      for (const changes of [{ network }, { shape: SHAPE }, { shape: SHAPE, network: { ...network, mac: 'no mac' } }]) {
        await assert.rejects(hypervisor.create(current().spec(changes), { signal }), { code: 'INVALID_ARGUMENT' });
      }
    });
  });
}
