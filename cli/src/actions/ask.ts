import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { BoxError } from '@a3s-box/core';

/** Asks on stderr and reads a line from the terminal. @param hidden whether what is typed is not shown. @throws CANCELLED */
export async function ask(question: string, { hidden = false } = {}): Promise<string> {
  const { stdin, stderr } = process;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: hidden ? silent : stderr, terminal: true, historySize: 0 });
  const answer = Promise.withResolvers<string>();
  const given = (): void => answer.reject(new BoxError('CANCELLED', 'no answer was given'));
  lines.once('SIGINT', given).once('close', given);
  if (hidden) stderr.write(question);
  lines.question(hidden ? '' : question, answer.resolve);
  try {
    return await answer.promise;
  } finally {
    // It has listeners of its own, by which it stops showing what is typed.
    lines.close();
    if (hidden) stderr.write('\n');
  }
}
