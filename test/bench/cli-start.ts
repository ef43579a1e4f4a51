/** `a3s-box --version` against bare `node -e 0` of the same Node. Bar: at most 2.5 times. */
import { BIN } from './support/paths.ts';
import { runProgram } from './support/process.ts';
import { compare } from './support/samples.ts';

export async function run() {
  const result = await compare(
    30,
    () => runProgram(BIN, ['--version']),
    () => runProgram(process.execPath, ['-e', '0']),
  );
  return { bar: 'ratioOfMedians <= 2.5', ...result };
}
