import { text } from 'node:stream/consumers';

/** All of stdin without the last line's end, so that `printf` and `echo` give the same password. */
export async function readStdin(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, '');
}
