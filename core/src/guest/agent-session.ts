import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Client } from '@grpc/grpc-js';
import { BoxError } from '../errors/box-error.js';
import { AgentService, HelloRequest, type HelloResponse } from '../gen/a3s/box/agent/v1/agent.js';
import { unary, type UnaryMethod } from '../rpc/unary.js';
import { SessionCredentials } from './session-credentials.js';

/** Newest minor version of the agent protocol that this host speaks. */
export const AGENT_PROTOCOL_MINOR = 1;

/** Windows of HTTP/2, bytes: above what offsets let through, so that they never hold back an acknowledgement. */
const TRANSPORT_WINDOW = 8 * 1024 * 1024;

export interface AgentSessionOptions {
  /** Unix stream socket of the guest's agent port. */
  readonly socket: string;
  /** When to connect; see the Hypervisor port's AgentEndpoint. Default: at once. */
  readonly listening?: Promise<void>;
  /**
   * Session key in force: that of the last session whose hello was answered gave the key for this one; until then the
   * key that opened it stays in force.
   */
  readonly key: Buffer;
  /** The key for the next session, 32 random bytes. From the first call after this one on it is the only one in force. */
  readonly nextKey: Buffer;
  /** Ends the attempt; the session, once open, is not bound to it. */
  readonly signal: AbortSignal;
  /** Whether the guest is to become a template: its clock and its generator are left alone, and its boot id unread. */
  readonly template?: boolean;
}

/**
 * One session with the agent of a guest: from the handshake to the end of its connection. It does not connect again;
 * who owns the VM opens the next session.
 */
export class AgentSession implements Disposable {
  readonly client: Client;
  /** What the guest said of itself. */
  readonly hello: HelloResponse;
  /** Resolves when the connection has ended, from whichever side. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;

  private constructor(client: Client, socket: Socket, hello: HelloResponse) {
    this.client = client;
    this.#socket = socket;
    this.hello = hello;
    this.ended = new Promise((resolve) => {
      if (socket.destroyed) resolve();
      else socket.once('close', () => resolve());
    });
  }

  /**
   * Connects, shakes hands and says hello: sets the guest's clock, feeds its entropy pool and replaces the session key.
   *
   * @throws AGENT_UNREACHABLE when the connection ends before the guest has answered
   * @throws AGENT_INCOMPATIBLE when the guest speaks another major version
   * @throws CANCELLED when the signal fires
   */
  static async open(options: AgentSessionOptions): Promise<AgentSession> {
    if (options.listening) await untilListening(options.listening, options.signal);
    const credentials = new SessionCredentials(options.key, options.signal);
    const client = new Client(`unix:${options.socket}`, credentials, {
      'grpc.default_authority': 'agent',
      'grpc.enable_http_proxy': 0,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.service_config_disable_resolution': 1,
      'grpc-node.flow_control_window': TRANSPORT_WINDOW,
      'grpc.max_receive_message_length': -1,
    });
    try {
      client.getChannel().getConnectivityState(true);
      const socket = await credentials.opened;
      return new AgentSession(client, socket, await sayHello(client, options));
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Makes one unary call in this session. @throws BoxError from the guest, AGENT_UNREACHABLE when the session ended */
  call<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    signal?: AbortSignal,
  ): Promise<Response> {
    return unary(this.client, method, request, { signal, unavailable: 'AGENT_UNREACHABLE' });
  }

  /** Closes the connection. Idempotent. */
  [Symbol.dispose](): void {
    this.client.close();
    // The client alone would wait for the streams that are open, and the guest serves one session at a time.
    this.#socket.destroy();
  }
}

/** @throws CANCELLED when the signal fires */
async function untilListening(listening: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(new BoxError('CANCELLED', 'opening the agent session was cancelled'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    await Promise.race([listening, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function sayHello(client: Client, options: AgentSessionOptions): Promise<HelloResponse> {
  const request = HelloRequest.create({
    protocolMinor: AGENT_PROTOCOL_MINOR,
    hostTimeNs: BigInt(Date.now()) * 1_000_000n,
    entropy: randomBytes(64),
    nextSessionKey: options.nextKey,
    template: options.template === true,
  });
  return unary(client, AgentService.hello, request, { signal: options.signal, unavailable: 'AGENT_UNREACHABLE' });
}
