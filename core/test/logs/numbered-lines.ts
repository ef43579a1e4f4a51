/** Output that tells its own place. */
import type { LogChunk } from '../../dist/logs/log-record.js';
import { chunk } from './log-samples.ts';

export const LIMITS = { maxFileBytes: 64 * 1024, maxFiles: 10_000 };

/** Lines of stdout, each with its number, 20 bytes long. */
export function lineChunk(first: number, count: number): LogChunk {
  const lines = Array.from({ length: count }, (_, index) => `${String(first + index).padStart(19, '0')}\n`);
  return chunk('stdout', first * 20, lines.join(''));
}
