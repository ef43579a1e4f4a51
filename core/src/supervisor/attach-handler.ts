import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Box } from '../box/box.js';
import type { BoxService } from '../box/box-service.js';
import type { OutputSink, ProcessIo } from '../box/process-io.js';
import { BoxError } from '../errors/box-error.js';
import type { AttachOpen, AttachRequest, AttachResponse, ExitStatus } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { failStream, writeMessage } from './grpc-handlers.js';
import { exitStatusOf } from './messages.js';
import { forwardStdin, outputMessage } from './streams.js';

type AttachCall = ServerDuplexStream<AttachRequest, AttachResponse>;

/** Serves one attachment: output to the client, stdin from it, and the exit at the end. */
export async function handleAttach(boxes: BoxService, call: AttachCall): Promise<void> {
  try {
    await serve(boxes, call);
    call.end();
  } catch (error) {
    failStream(call, error);
  }
}

async function serve(boxes: BoxService, call: AttachCall): Promise<void> {
  const gone = new Promise<void>((resolve) => call.once('cancelled', resolve).once('close', resolve));
  const requests = call[Symbol.asyncIterator]();
  const open = await firstRequest(requests);
  const box = boxes.find(open.box);
  const { io, terminal } = boxes.streams(box, open.execId);
  const removeSink = io.addSink(sinkOf(call));
  // Of this run: there may be another one soon.
  const exit = exitOf(box, open.execId, io);
  exit.catch(() => {});
  try {
    await writeMessage(call, { response: { $case: 'attached', value: { terminal } } });
    if (open.stdin) void forwardStdin(io, requests, open.execId === '' && box.spec.stdinKept);
    const status = await Promise.race([exit, gone]);
    if (status) await writeMessage(call, { response: { $case: 'exited', value: status } });
  } finally {
    removeSink();
  }
}

async function firstRequest(requests: AsyncIterator<AttachRequest>): Promise<AttachOpen> {
  const first = await requests.next();
  const request = first.done ? undefined : first.value.request;
  if (request?.$case === 'open') return request.value;
  throw new BoxError('INVALID_ARGUMENT', 'attach: the first message was not "open"');
}

function sinkOf(call: AttachCall): OutputSink {
  return (chunk) => writeMessage(call, { response: { $case: 'output', value: outputMessage(chunk) } });
}

/** The end of a box is told after everything of it was freed; that of an exec with its last output. */
async function exitOf(box: Box, execId: string, io: ProcessIo): Promise<ExitStatus> {
  if (execId === '') return exitStatusOf(await box.ended);
  const status = await io.drained;
  return {
    known: true,
    code: status.code,
    outOfMemory: status.outOfMemory,
    timedOut: false,
    reason: '',
    timeNs: status.timeNs,
  };
}
