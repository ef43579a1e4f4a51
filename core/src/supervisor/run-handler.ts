import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { BoxService } from '../box/box-service.js';
import { BoxError } from '../errors/box-error.js';
import type { RunOpen, RunRequest, RunResponse } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { EmulationNotice } from './emulation-notice.js';
import { failStream, writeMessage } from './grpc-handlers.js';
import { boxSpecFrom, exitStatusOf } from './messages.js';
import { forwardStdin, outputMessage } from './streams.js';

type RunCall = ServerDuplexStream<RunRequest, RunResponse>;

/** Serves one `Run`: a box from nothing to running, then, unless detached, its streams to its end. */
export async function handleRun(boxes: BoxService, notice: EmulationNotice, call: RunCall): Promise<void> {
  try {
    await serve(boxes, notice, call);
    call.end();
  } catch (error) {
    failStream(call, error);
  }
}

async function serve(boxes: BoxService, notice: EmulationNotice, call: RunCall): Promise<void> {
  const requests = call[Symbol.asyncIterator]();
  const { spec: message, detached } = await firstRequest(requests);
  const spec = boxSpecFrom(message);
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => {});
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort());
  const { signal } = gone;
  const notices = await notice.for(spec, { signal });
  const box = await boxes.run(spec, {
    signal,
    prepare: async (created) => {
      await writeMessage(call, {
        response: { $case: 'created', value: { id: created.id, name: created.name, notices } },
      });
      if (detached) return;
      const removeSink = created.io.addSink(async (chunk) => {
        await started.promise;
        await writeMessage(call, { response: { $case: 'output', value: outputMessage(chunk) } });
      });
      signal.addEventListener('abort', removeSink, { once: true });
      void forwardStdin(created.io, requests);
    },
  });
  await writeMessage(call, { response: { $case: 'started', value: {} } });
  started.resolve();
  if (detached) return;
  const left = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)));
  const exit = await Promise.race([box.ended, left]);
  if (exit) await writeMessage(call, { response: { $case: 'exited', value: exitStatusOf(exit) } });
}

async function firstRequest(requests: AsyncIterator<RunRequest>): Promise<RunOpen> {
  const first = await requests.next();
  const request = first.done ? undefined : first.value.request;
  if (request?.$case === 'open') return request.value;
  throw new BoxError('INVALID_ARGUMENT', 'run: the first message was not "open"');
}
