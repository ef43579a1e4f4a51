import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QmpClient, type QmpEvent } from '../dist/qmp-client.js';

describe('qmp client', () => {
  let directory: string;
  let server: Server;
  let client: QmpClient;
  let peer: Socket;
  let events: QmpEvent[];
  let commands: { execute: string; id: number }[];

  const send = (message: object): boolean => peer.write(`${JSON.stringify(message)}\r\n`);
  const greet = (): boolean => send({ QMP: { version: {}, capabilities: [] } });

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'qmp-'));
    const path = join(directory, 'qmp.sock');
    server = createServer().listen(path);
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    events = [];
    commands = [];
    client = new QmpClient(path, (event) => events.push(event));
    [peer] = await accepted;
    peer.on('error', () => undefined);
    peer.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trim().split('\n')) commands.push(JSON.parse(line) as { execute: string; id: number });
    });
  });
  afterEach(async () => {
    client.close();
    peer.destroy();
    server.close();
    await once(server, 'close');
    rmSync(directory, { recursive: true });
  });

  /** Waits for a number of commands and gives the last. */
  async function command(count: number): Promise<{ execute: string; id: number }> {
    while (commands.length < count) await once(peer, 'data');
    return commands[count - 1] ?? assert.fail();
  }

  async function opened(): Promise<void> {
    const open = client.open();
    greet();
    send({ return: {}, id: (await command(1)).id });
    await open;
  }

  it('waits for the greeting, then opens the command mode', async () => {
    await opened();
    assert.equal(commands[0]?.execute, 'qmp_capabilities');
  });

  it('gives each answer to its command, whatever the order', async () => {
    await opened();
    const [one, two] = [client.execute('one'), client.execute('two')];
    const second = await command(3);
    send({ return: 'second', id: second.id });
    send({ return: 'first', id: second.id - 1 });
    assert.deepEqual(await Promise.all([one, two]), ['first', 'second']);
  });

  it('tells events, also when a line comes in pieces', async () => {
    await opened();
    const answer = client.execute('wait');
    const line = `${JSON.stringify({ event: 'SHUTDOWN', data: { guest: true, reason: 'guest-reset' } })}\r\n`;
    peer.write(line.slice(0, 10));
    const { id } = await command(2);
    peer.write(line.slice(10));
    send({ return: {}, id });
    await answer;
    assert.deepEqual(
      events.map(({ event }) => event),
      ['SHUTDOWN'],
    );
  });

  it('rejects with what QEMU says', async () => {
    await opened();
    const answer = client.execute('nonsense');
    send({ error: { class: 'CommandNotFound', desc: 'never heard of it' }, id: (await command(2)).id });
    await assert.rejects(answer, { code: 'INTERNAL', message: /never heard of it/ });
  });

  it('rejects everything that waits when the connection ends', async () => {
    await opened();
    const answer = client.execute('wait');
    await command(2);
    peer.destroy();
    await assert.rejects(answer, { code: 'VM_ENDED' });
    await client.closed;
    await assert.rejects(client.execute('later'), { code: 'VM_ENDED' });
  });

  it('rejects the opening when the VMM goes before its greeting', async () => {
    const open = client.open();
    peer.destroy();
    await assert.rejects(open, { code: 'VM_ENDED' });
  });

  it('leaves a VMM that sends no JSON, or a line without end', async () => {
    peer.write('this is no JSON\n');
    await client.closed;
  });

  it('leaves a VMM that sends a line without end', async () => {
    const chunk = 'x'.repeat(256 * 1024);
    for (let sent = 0; sent < 6; sent++) peer.write(chunk);
    await client.closed;
  });

  it('does not mind answers that nobody waits for', async () => {
    await opened();
    send({ return: {}, id: 999 });
    const answer = client.execute('still there');
    send({ return: 'yes', id: (await command(2)).id });
    assert.equal(await answer, 'yes');
  });
});
