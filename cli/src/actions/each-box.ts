import { asBoxError, BoxError, type ErrorCode } from '@a3s-box/core';
import { printError } from '../print-error.js';

/** So many boxes are worked on at the same time. */
const CONCURRENCY = 50;
/** Docker's, for what became of one of several. */
const FAILED = 1;
/** No other box would fare better. */
const FATAL: readonly ErrorCode[] = ['CANCELLED', 'SUPERVISOR_UNREACHABLE', 'SUPERVISOR_INCOMPATIBLE', 'INTERNAL'];

interface EachBoxOptions {
  /** Whether a failure is only told of. */
  readonly isHarmless?: (error: BoxError) => boolean;
  /** Exit status for a failure. Default: 1. */
  readonly statusOf?: (error: BoxError) => number;
}

/**
 * Does the same with several boxes, and prints what comes of it in the order of their names: the text to stdout, a
 * failure to stderr. One that fails does not stop the others.
 * @returns the exit status: 0, or of the failures the greatest
 * @throws what concerns all of them, such as a supervisor that went away
 */
export async function eachBox(
  boxes: readonly string[],
  work: (box: string) => Promise<string>,
  { isHarmless = () => false, statusOf = () => FAILED }: EachBoxOptions = {},
): Promise<number> {
  let status = 0;
  for (let done = 0; done < boxes.length; done += CONCURRENCY) {
    const outcomes = boxes.slice(done, done + CONCURRENCY).map((box) => outcomeOf(box, work));
    for (const outcome of outcomes) {
      const { text, error } = await outcome;
      process.stdout.write(text);
      if (error === undefined) continue;
      if (FATAL.includes(error.code)) throw error;
      printError(error, { json: false, debug: false });
      if (!isHarmless(error)) status = Math.max(status, statusOf(error));
    }
  }
  return status;
}

async function outcomeOf(
  box: string,
  work: (box: string) => Promise<string>,
): Promise<{ text: string; error?: BoxError }> {
  try {
    return { text: await work(nameOf(box)) };
  } catch (error) {
    return { text: '', error: asBoxError(error) };
  }
}

/** An empty name would be the beginning of every id. @throws INVALID_ARGUMENT */
export function nameOf(box: string): string {
  if (box !== '') return box;
  throw new BoxError('INVALID_ARGUMENT', 'the name of a box cannot be empty');
}
