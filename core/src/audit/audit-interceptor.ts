import { randomBytes } from 'node:crypto';
import {
  ResponderBuilder,
  ServerInterceptingCall,
  ServerListenerBuilder,
  status as Status,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { peerCredentials } from '@a3s-box/native';
import { CODE_TRAILER } from '../errors/grpc.js';
import type { AuditEntry, AuditLog } from './audit-log.js';
import { AUDITED_CALLS, type Audited } from './audited-calls.js';

interface AuditParts {
  readonly log: Pick<AuditLog, 'write'>;
  /** Full id of a box by a reference to it; undefined where there is none. */
  readonly idOf: (reference: string) => string | undefined;
}

/**
 * Writes down each call that changes something, and each exec: when it begins and when it ends. To be the first of a
 * server's interceptors: it looks at the connection.
 */
export function auditCalls({ log, idOf }: AuditParts): ServerInterceptor {
  return (method, call) => {
    const describe = AUDITED_CALLS.get(method.path);
    if (!describe) return new ServerInterceptingCall(call);
    const audit = new AuditedCall(method.path, peerOf(call), log);
    const listener = new ServerListenerBuilder()
      .withOnReceiveMessage((message, next) => {
        if (!audit.begun) audit.begin(describe(message), idOf);
        next(message);
      })
      .withOnCancel(() => audit.end('CANCELLED'))
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendMessage((message, next) => {
        audit.answer(message);
        next(message);
      })
      .withSendStatus((status, next) => {
        const [code] = status.metadata?.get(CODE_TRAILER) ?? [];
        audit.end(status.code === Status.OK ? 'ok' : String(code ?? Status[status.code]));
        next(status);
      })
      .build();
    return new ServerInterceptingCall(call, responder);
  };
}

type Peer = Pick<AuditEntry, 'uid' | 'pid'>;

/** One call that is written down. */
class AuditedCall {
  begun = false;
  readonly #call = randomBytes(8).toString('hex');
  readonly #operation: string;
  #audited: Audited = { subject: '' };
  #box: string | undefined;
  #ended = false;

  constructor(
    path: string,
    private readonly peer: Peer,
    private readonly log: Pick<AuditLog, 'write'>,
  ) {
    this.#operation = path.replace(/^\/.*\./, '').replace('/', '.');
  }

  begin(audited: Audited | undefined, idOf: AuditParts['idOf']): void {
    if (!audited) return;
    this.begun = true;
    this.#audited = audited;
    if (audited.isBox) this.#box = idOf(audited.subject);
    this.#write('begun');
  }

  /** A box that is made is known by the answer. */
  answer(message: unknown): void {
    if (this.#box !== undefined || this.#audited.isBox) return;
    const answer = message as { id?: unknown; response?: { $case?: string; value?: { id?: unknown } } };
    const id = answer.response?.$case === 'created' ? answer.response.value?.id : answer.id;
    if (typeof id === 'string' && id !== '') this.#box = id;
  }

  end(outcome: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#write(outcome);
  }

  #write(outcome: string): void {
    const { subject, details = {} } = this.#audited;
    this.log.write({
      time: new Date().toISOString(),
      call: this.#call,
      ...this.peer,
      operation: this.#operation,
      subject,
      ...(this.#box !== undefined && { box: this.#box }),
      details,
      outcome,
    });
  }
}

const peers = new WeakMap<object, Peer>();

/** The library gives no way to the socket of a call; where it has moved, who called is not told. */
function peerOf(call: ServerInterceptingCallInterface): Peer {
  const { stream } = call as unknown as {
    stream?: { session?: { socket?: { _handle?: { fd?: number } } } };
  };
  const session = stream?.session;
  const descriptor = session?.socket?._handle?.fd;
  if (!session || descriptor === undefined || descriptor < 0) return {};
  let peer = peers.get(session);
  if (!peer) peers.set(session, (peer = peerCredentials(descriptor) ?? {}));
  return peer;
}
