import { ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder, type ServerInterceptor } from '@grpc/grpc-js';

/** Counts the calls that a gRPC server is working on. */
export class CallCounter {
  #active = 0;

  /** @param changed is called after every change */
  constructor(private readonly changed: () => void) {}

  get active(): number {
    return this.#active;
  }

  readonly interceptor: ServerInterceptor = (_method, call) => {
    this.#add(1);
    let counted = true;
    const finish = () => {
      if (counted) this.#add(-1);
      counted = false;
    };
    const listener = new ServerListenerBuilder().withOnCancel(finish).build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendStatus((status, next) => {
        finish();
        next(status);
      })
      .build();
    return new ServerInterceptingCall(call, responder);
  };

  #add(change: number): void {
    this.#active += change;
    this.changed();
  }
}
