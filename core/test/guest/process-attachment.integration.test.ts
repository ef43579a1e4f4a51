import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { AgentSession } from '../../dist/guest/agent-session.js';
import { ProcessAttachment } from '../../dist/guest/process-attachment.js';
import {
  AgentService,
  AttachOpen,
  ExecService,
  ExitStatus,
  HelloResponse,
  Stream,
  type AttachRequest,
  type AttachResponse,
} from '../../dist/gen/a3s/box/agent/v1/agent.js';
import { FakeGuest } from '../support/fake-guest.ts';

const WINDOW = 256n * 1024n;
type Call = ServerDuplexStream<AttachRequest, AttachResponse>;

/** A process that gives its stdin back on stdout, within the windows of the protocol. */
class EchoProcess {
  mostUnacknowledged = 0n;
  #accepted = 0n;
  #sent = 0n;
  #acknowledged = 0n;
  #waiting: Buffer[] = [];
  #inputEnded = false;

  readonly #call: Call;

  constructor(call: Call) {
    this.#call = call;
  }

  receive({ request }: AttachRequest): void {
    if (request?.$case === 'open') {
      this.#send({ $case: 'opened', value: { from: undefined, stdinWindow: this.#window(), terminal: false } });
    } else if (request?.$case === 'stdin') {
      assert.equal(request.value.offset, this.#accepted);
      this.#accepted += BigInt(request.value.data.length);
      this.#waiting.push(request.value.data);
    } else if (request?.$case === 'stdinEndOffset') {
      assert.equal(request.value, this.#accepted);
      this.#inputEnded = true;
    } else if (request?.$case === 'acknowledge') {
      this.#acknowledged = request.value.stdout;
    }
    this.#pump();
  }

  #pump(): void {
    while (this.#waiting[0] && this.#sent - this.#acknowledged < WINDOW) {
      const data = this.#waiting.shift() as Buffer;
      this.#send({ $case: 'output', value: { stream: Stream.STDOUT, offset: this.#sent, timeNs: 1n, data } });
      this.#sent += BigInt(data.length);
      this.#send({ $case: 'stdinWindow', value: this.#window() });
      const unacknowledged = this.#sent - this.#acknowledged;
      if (unacknowledged > this.mostUnacknowledged) this.mostUnacknowledged = unacknowledged;
    }
    if (!this.#inputEnded || this.#waiting.length > 0) return;
    this.#inputEnded = false;
    this.#send({ $case: 'exited', value: ExitStatus.create({ code: 7 }) });
    this.#call.end();
  }

  #window() {
    return { accepted: this.#accepted, limit: this.#sent + WINDOW };
  }

  #send(response: NonNullable<AttachResponse['response']>): void {
    this.#call.write({ response });
  }
}

describe('ProcessAttachment', () => {
  let directory: string;
  let guest: FakeGuest;
  let session: AgentSession;
  let process: EchoProcess;
  let serve: (call: Call) => void;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'a3s-attach-'));
    guest = new FakeGuest(join(directory, 'agent.sock'), randomBytes(32));
    serve = (call) => {
      process = new EchoProcess(call);
      call.on('data', (request: AttachRequest) => process.receive(request));
    };
    guest.addService(AgentService, {
      hello: (_call: unknown, done: (error: null, value: HelloResponse) => void) => done(null, HelloResponse.create()),
    });
    guest.addService(ExecService, { attach: (call: Call) => serve(call) });
    await guest.listen();
    session = await AgentSession.open({
      socket: guest.socketPath,
      key: guest.key,
      nextKey: randomBytes(32),
      signal: new AbortController().signal,
    });
  });

  afterEach(async () => {
    session[Symbol.dispose]();
    await guest.close();
    await rm(directory, { recursive: true });
  });

  it('carries 20 MB both ways within the windows, then the exit', async () => {
    const attachment = new ProcessAttachment(session, AttachOpen.create({ containerId: 'box' }));
    const sent = createHash('sha256');
    const write = async () => {
      for (let i = 0; i < 20; i++) {
        const piece = randomBytes(1_000_000);
        sent.update(piece);
        await attachment.writeStdin(piece);
      }
      attachment.endStdin();
    };
    const writing = write();
    const received = createHash('sha256');
    let offset = 0n;
    for await (const chunk of attachment.output()) {
      assert.equal(chunk.offset, offset);
      offset += BigInt(chunk.data.length);
      received.update(chunk.data);
    }
    await writing;
    assert.equal((await attachment.exited).code, 7);
    assert.equal(received.digest('hex'), sent.digest('hex'));
    assert.ok(process.mostUnacknowledged <= WINDOW + 64n * 1024n, `${process.mostUnacknowledged}`);
  });

  it('holds the process back when nobody takes its output', async () => {
    const attachment = new ProcessAttachment(session, AttachOpen.create({ containerId: 'box' }));
    await attachment.opened;
    let written = 0;
    const writing = (async () => {
      for (;;) {
        await attachment.writeStdin(Buffer.alloc(64 * 1024));
        written += 64 * 1024;
      }
    })();
    const first = await attachment.output().next();
    assert.equal(first.done, false);
    await session.call(AgentService.hello, {
      protocolMinor: 0,
      hostTimeNs: 0n,
      entropy: Buffer.alloc(0),
      nextSessionKey: Buffer.alloc(0),
      template: false,
    });
    assert.ok(written <= 3 * Number(WINDOW), `${written} bytes were taken`);
    attachment.close();
    await assert.rejects(writing, { code: 'CANCELLED' });
  });

  it('fails its output, its stdin and its exit when the guest is lost', async () => {
    const attachment = new ProcessAttachment(session, AttachOpen.create({ containerId: 'box' }));
    await attachment.opened;
    guest.cut();
    await assert.rejects(
      async () => {
        for await (const chunk of attachment.output()) assert.ok(chunk);
      },
      { code: 'AGENT_UNREACHABLE' },
    );
    await assert.rejects(attachment.exited, { code: 'AGENT_UNREACHABLE' });
    await assert.rejects(attachment.writeStdin(Buffer.alloc(1 << 20)), { code: 'AGENT_UNREACHABLE' });
  });

  it('passes the guest’s refusal on', async () => {
    serve = (call) => call.emit('error', { code: 5, details: 'no process "x"' });
    const attachment = new ProcessAttachment(session, AttachOpen.create({ containerId: 'box', processId: 'x' }));
    await assert.rejects(attachment.opened, { code: 'NOT_FOUND', message: 'no process "x"' });
  });
});
