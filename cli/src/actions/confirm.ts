import { createInterface } from 'node:readline/promises';

/** Asks on stdout and reads the answer from stdin, whose end means no. @param warning a sentence or more */
export async function confirm(warning: string): Promise<boolean> {
  using lines = createInterface({ input: process.stdin, output: process.stdout });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  const question = lines.question(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  const answer = await Promise.race([question, closed]);
  return /^y(es)?$/i.test(answer.trim());
}
