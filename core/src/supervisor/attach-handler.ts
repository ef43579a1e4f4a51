import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Box } from '../box/box.js';
import type { BoxService } from '../box/box-service.js';
import type { OutputSink, ProcessIo } from '../box/process-io.js';
import { BoxError, isBoxError } from '../errors/box-error.js';
import type { AttachOpen, AttachRequest, AttachResponse, ExitStatus } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { failStream, writeMessage } from './grpc-handlers.js';
import { exitStatusOf } from './messages.js';
import { forwardStdin, outputMessage } from './streams.js';

/** How long the end of a box may take to be known after its guest is gone. */
const END_LIMIT_MS = 5000;

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
  const status = await io.drained.catch((error: unknown) => explained(error, box));
  return {
    known: true,
    code: status.code,
    outOfMemory: status.outOfMemory,
    timedOut: false,
    reason: '',
    timeNs: status.timeNs,
  };
}

/** An exec whose guest is gone ended with its box. @throws VM_ENDED with why, or what it was given */
async function explained(error: unknown, box: Box): Promise<never> {
  if (!isBoxError(error) || error.code !== 'AGENT_UNREACHABLE') throw error;
  const late = new Promise<undefined>((resolve) => {
    AbortSignal.timeout(END_LIMIT_MS).addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const exit = await Promise.race([box.ended, late]);
  if (!exit) throw error;
  const reason = exit.reason === '' ? '' : `: ${exit.reason}`;
  throw new BoxError('VM_ENDED', `box "${box.name}" ended before its exec did${reason}`, { cause: error });
}
