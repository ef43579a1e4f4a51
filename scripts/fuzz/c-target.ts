/** Builds the fuzz targets of native, which are C, with clang: libFuzzer, AddressSanitizer and checks of undefined behaviour. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ended, killOnAbort, startChild } from '../test/child.ts';
import { targetDirectory, type FuzzTarget, type PreparedTarget } from './targets.ts';

const FLAGS = [
  ...['-std=gnu11', '-D_GNU_SOURCE', '-g', '-O1', '-Wall', '-Wextra', '-Werror'],
  ...['-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all'],
];

/** @throws with clang's messages when the build fails, there is no clang, or the signal fires */
export async function prepareCTarget(root: string, target: FuzzTarget, signal: AbortSignal): Promise<PreparedTarget> {
  const directory = targetDirectory(root, target);
  mkdirSync(directory, { recursive: true });
  const program = join(directory, target.name);
  const sources = [target.file, ...sourcesOf(root, target)];
  const child = startChild('clang', [...FLAGS, '-o', program, ...sources], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  using _ = killOnAbort(child, signal);
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const failure = await ended(child);
  if (failure !== undefined)
    throw new Error(`clang ended with ${failure}; \`npm test\` as root installs it\n${output}`);
  return {
    target,
    program,
    args: [],
    environment: {},
    corpora: [join(root, target.file, '..', 'corpus', target.name)],
    dictionary: join(root, target.file, '..', `${target.name}.dict`),
  };
}

/** A line `// Sources: FILE...` of the target names them, relative to it. */
function sourcesOf(root: string, { file }: FuzzTarget): string[] {
  const line = /^\/\/ Sources: (.+)$/m.exec(readFileSync(join(root, file), 'utf8'))?.[1];
  if (line === undefined) throw new Error(`${file} has no line \`// Sources: FILE...\``);
  return line.split(' ').map((name) => join(file, '..', name));
}
