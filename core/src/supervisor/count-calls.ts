import { ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder, type ServerInterceptor } from '@grpc/grpc-js';
import type { Activity } from './activity.js';

/** Makes every call of a gRPC server a use, from its start to its status or its cancelling. */
export function countCalls(activity: Activity): ServerInterceptor {
  return (_method, call) => {
    const use = activity.begin();
    const finish = () => use[Symbol.dispose]();
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
}
