import type { ServerWritableStream } from '@grpc/grpc-js';
import type { BoxLogs } from '../box/box-logs.js';
import type { BoxService } from '../box/box-service.js';
import { Stream, type LogRecord, type LogRecords, type LogsRequest } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { LogRecord as Kept } from '../logs/log-record.js';
import { failStream, writeMessage } from './grpc-handlers.js';

type LogsCall = ServerWritableStream<LogsRequest, LogRecords>;
/** Output in one message at most, bytes; one record is at most 16 KiB. */
const MESSAGE_BYTES = 256 * 1024;

/** Sends what a box's main process wrote. */
export async function handleLogs(boxes: BoxService, logs: BoxLogs, call: LogsCall): Promise<void> {
  const left = new AbortController();
  call.once('cancelled', () => left.abort());
  try {
    const { box: reference, follow, tail, sinceNs, untilNs } = call.request;
    const box = boxes.find(reference);
    if (follow && box.state.kind === 'starting') await box.started;
    const options = {
      follow,
      signal: left.signal,
      ...(tail === undefined ? {} : { tail: Number(tail) }),
      ...(sinceNs > 0n && { sinceNs }),
      ...(untilNs > 0n && { untilNs }),
    };
    for await (const records of logs.read(box, options)) {
      for (const message of messagesOf(records)) await writeMessage(call, message);
    }
    call.end();
  } catch (error) {
    failStream(call, error);
  }
}

function* messagesOf(records: readonly Kept[]): Generator<LogRecords> {
  let message: LogRecord[] = [];
  let bytes = 0;
  for (const { stream, timeNs, data } of records) {
    message.push({ stream: stream === 'stdout' ? Stream.STDOUT : Stream.STDERR, timeNs, data: Buffer.from(data) });
    bytes += data.length;
    if (bytes >= MESSAGE_BYTES) {
      yield { records: message };
      message = [];
      bytes = 0;
    }
  }
  if (message.length > 0) yield { records: message };
}
