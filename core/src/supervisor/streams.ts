import type { ProcessIo } from '../box/process-io.js';
import { Stream, type AttachRequest, type Output, type RunRequest } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type { OutputChunk } from '../guest/process-attachment.js';

export function outputMessage({ stream, data }: OutputChunk): Output {
  return { stream: stream === 'stdout' ? Stream.STDOUT : Stream.STDERR, data };
}

/**
 * Hands a client's stdin on. Ends with it, or when the process takes no more.
 * @param kept whether its end leaves the process's open
 */
export async function forwardStdin(
  io: ProcessIo,
  requests: AsyncIterator<AttachRequest | RunRequest>,
  kept = false,
): Promise<void> {
  try {
    for (let next = await requests.next(); !next.done; next = await requests.next()) {
      const { request } = next.value;
      if (request?.$case === 'stdin') await io.writeStdin(request.value);
      else if (request?.$case === 'stdinEnd') return kept ? undefined : await io.endStdin();
    }
  } catch {
    // The process or the client has gone; the attachment itself tells its end.
  }
}
