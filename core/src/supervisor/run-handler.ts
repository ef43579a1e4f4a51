import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Box, BoxExit } from '../box/box.js';
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
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort());
  const { signal } = gone;
  const requests = call[Symbol.asyncIterator]();
  const { spec, detached, box: reference } = await firstRequest(requests);
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => {});
  let ended: Promise<BoxExit> | undefined;
  const prepare = async (box: Box, notices: string[]) => {
    // Of this run: there may be another one soon.
    ended = box.ended;
    await writeMessage(call, { response: { $case: 'created', value: { id: box.id, name: box.name, notices } } });
    if (detached) return;
    const removeSink = box.io.addSink(async (chunk) => {
      await started.promise;
      await writeMessage(call, { response: { $case: 'output', value: outputMessage(chunk) } });
    });
    signal.addEventListener('abort', removeSink, { once: true });
    void forwardStdin(box.io, requests, box.spec.stdinKept);
  };
  if (reference === '') await runNew(boxes, notice, { spec, prepare, signal });
  else await startKept(boxes, reference, { prepare, signal });
  await writeMessage(call, { response: { $case: 'started', value: {} } });
  started.resolve();
  if (detached || !ended) return;
  const left = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)));
  const exit = await Promise.race([ended, left]);
  if (exit) await writeMessage(call, { response: { $case: 'exited', value: exitStatusOf(exit) } });
}

interface Start {
  readonly prepare: (box: Box, notices: string[]) => Promise<void>;
  readonly signal: AbortSignal;
}

async function runNew(
  boxes: BoxService,
  notice: EmulationNotice,
  { spec: message, prepare, signal }: Start & Pick<RunOpen, 'spec'>,
): Promise<void> {
  const spec = boxSpecFrom(message);
  const notices = await notice.for(spec, { signal });
  await boxes.run(spec, { signal, prepare: (box) => prepare(box, notices) });
}

async function startKept(boxes: BoxService, reference: string, { prepare, signal }: Start): Promise<void> {
  const box = boxes.find(reference);
  await boxes.start(box, { prepare: () => prepare(box, []), signal });
}

async function firstRequest(requests: AsyncIterator<RunRequest>): Promise<RunOpen> {
  const first = await requests.next();
  const request = first.done ? undefined : first.value.request;
  if (request?.$case === 'open') return request.value;
  throw new BoxError('INVALID_ARGUMENT', 'run: the first message was not "open"');
}
