import { createConnection } from 'node:net';
import { BoxError, type Traffic } from '@a3s-box/core';

/** Two numbers, little-endian: bytes to the guest and from it. */
const ANSWER_BYTES = 16;

/**
 * Asks a gateway what went over its link.
 * @param socket where it tells everybody who connects
 * @throws NETWORK_FAILED when it is gone or answers something else, CANCELLED when the signal fires
 */
export async function askTraffic(socket: string, signal: AbortSignal): Promise<Traffic> {
  const answer = await readAll(socket, signal);
  return { receivedBytes: answer.readBigUInt64LE(0), sentBytes: answer.readBigUInt64LE(8) };
}

async function readAll(path: string, signal: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    signal.throwIfAborted();
    // The iterator destroys the connection when it is left, also for more than was asked for.
    for await (const part of createConnection({ path, signal })) {
      parts.push(part as Buffer);
      length += (part as Buffer).length;
      if (length > ANSWER_BYTES) break;
    }
  } catch (cause) {
    if (signal.aborted)
      throw new BoxError('CANCELLED', 'the question what went over a network was cancelled', { cause });
    throw failed(cause);
  }
  if (length !== ANSWER_BYTES) throw failed(undefined);
  return Buffer.concat(parts);
}

function failed(cause: unknown): BoxError {
  return new BoxError('NETWORK_FAILED', 'the network gateway does not tell what went over it', { cause });
}
