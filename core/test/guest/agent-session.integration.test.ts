import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentSession } from '../../dist/guest/agent-session.js';
import { AgentService, HelloRequest, HelloResponse } from '../../dist/gen/a3s/box/agent/v1/agent.js';
import { FakeGuest } from '../support/fake-guest.ts';

const never = new AbortController().signal;

describe('AgentSession', () => {
  let directory: string;
  let guest: FakeGuest;
  let hellos: HelloRequest[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'a3s-session-'));
    guest = new FakeGuest(join(directory, 'agent.sock'), randomBytes(32));
    hellos = [];
    guest.addService(AgentService, {
      hello: (call: { request: HelloRequest }, done: (error: null, response: HelloResponse) => void) => {
        hellos.push(call.request);
        done(null, HelloResponse.create({ version: '1.2.3' }));
      },
    });
    await guest.listen();
  });

  afterEach(async () => {
    await guest.close();
    await rm(directory, { recursive: true });
  });

  const open = (key: Buffer, signal: AbortSignal = never) =>
    AgentSession.open({ socket: guest.socketPath, key, nextKey: randomBytes(32), signal });

  it('says hello with time, entropy and the next key after the handshake', async () => {
    using session = await open(guest.key);
    assert.equal(session.hello.version, '1.2.3');
    assert.equal(hellos.length, 1);
    assert.equal(hellos[0]?.nextSessionKey.length, 32);
    assert.equal(hellos[0]?.entropy.length, 64);
    assert.ok(Math.abs(Number(hellos[0]?.hostTimeNs) / 1e6 - Date.now()) < 5000);
  });

  it('discards what is left of an earlier session, an echo of it included', async () => {
    guest.leftOver = Buffer.concat([
      randomBytes(100_000),
      Buffer.from('A3SBOX1\n'),
      randomBytes(16),
      Buffer.from('A3SB'),
    ]);
    using session = await open(guest.key);
    assert.equal(session.hello.version, '1.2.3');
  });

  it('gives up when its signal fires while the guest does not answer', async () => {
    const cancel = new AbortController();
    const attempt = open(randomBytes(32), cancel.signal);
    setImmediate(() => cancel.abort());
    await assert.rejects(attempt, { code: 'CANCELLED' });
  });

  it('reports an agent that cannot be connected to', async () => {
    await guest.close();
    await assert.rejects(open(guest.key), { code: 'AGENT_UNREACHABLE' });
    await guest.listen();
  });

  it('tells its end when the connection is cut, and does not connect again', async () => {
    using session = await open(guest.key);
    guest.cut();
    await session.ended;
    await assert.rejects(session.call(AgentService.hello, HelloRequest.create()), { code: 'AGENT_UNREACHABLE' });
    assert.equal(hellos.length, 1);
  });
});
