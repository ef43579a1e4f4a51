import type { Socket } from 'node:net';
import { CallCredentials, ChannelCredentials } from '@grpc/grpc-js';
import { BoxError } from '../errors/box-error.js';
import { makeSessionOpening, StreamMatcher } from './session-opening.js';

type SecureConnector = ReturnType<ChannelCredentials['_createSecureConnector']>;

/**
 * Performs the agent's session handshake on the channel's socket, in the place where other credentials negotiate TLS.
 * One object serves one session: the channel's attempts to connect again by itself are refused.
 */
export class SessionCredentials extends ChannelCredentials {
  /** The socket, once the guest has echoed the opening. Rejects when the connection ends before that. */
  readonly opened: Promise<Socket>;
  readonly #opened = Promise.withResolvers<Socket>();
  readonly #key: Buffer;
  readonly #signal: AbortSignal;
  #used = false;

  /**
   * @param key the session key in force
   * @param signal gives up the handshake
   */
  constructor(key: Buffer, signal: AbortSignal) {
    super();
    this.#key = key;
    this.#signal = signal;
    this.opened = this.#opened.promise;
    this.opened.catch(() => {});
  }

  override _isSecure(): boolean {
    return false;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override compose(): ChannelCredentials {
    throw new BoxError('UNSUPPORTED', 'agent session credentials take no call credentials');
  }

  override _createSecureConnector(): SecureConnector {
    return {
      waitForReady: () => this.#claim(),
      connect: async (socket) => {
        try {
          await shakeHands(socket, this.#key, this.#signal);
        } catch (error) {
          this.#opened.reject(error);
          throw error;
        }
        this.#opened.resolve(socket);
        return { socket, secure: false };
      },
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => this.#opened.reject(sessionEnded()),
    };
  }

  /** Lets the first attempt to connect pass; a second one means that the first could not reach the socket at all. */
  async #claim(): Promise<void> {
    if (this.#used) {
      this.#opened.reject(sessionEnded());
      throw sessionEnded();
    }
    this.#used = true;
  }
}

function sessionEnded(): BoxError {
  return new BoxError('AGENT_UNREACHABLE', 'the connection to the agent has ended or could not be made');
}

/** Opens a session on a fresh connection; on return the socket is paused and gives the new session's bytes only. */
async function shakeHands(socket: Socket, key: Buffer, signal: AbortSignal): Promise<void> {
  const opening = makeSessionOpening(key);
  const matcher = new StreamMatcher(opening.echo);
  const done = Promise.withResolvers<void>();
  const onData = (piece: Buffer) => {
    const rest = matcher.push(piece);
    if (rest === undefined) return;
    socket.off('data', onData);
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    done.resolve();
  };
  const onEnd = (cause?: unknown) =>
    done.reject(
      new BoxError('AGENT_UNREACHABLE', 'the agent connection closed during the session handshake', { cause }),
    );
  const onAbort = () => {
    done.reject(new BoxError('CANCELLED', 'opening the agent session was cancelled'));
    socket.destroy();
  };
  socket.on('data', onData).on('error', onEnd).on('close', onEnd);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    else socket.write(opening.bytes);
    await done.promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
    socket.off('data', onData).off('error', onEnd).off('close', onEnd);
  }
}
