/**
 * The entry of a3s-box. Kept small: `--version` loads nothing else. Older Node.js must be able to read it, so that it
 * can say what is missing.
 */
import { statSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;

/** Put in by the bundler, from package.json. */
declare const A3S_BOX_VERSION: string;
const version = typeof A3S_BOX_VERSION === 'string' ? A3S_BOX_VERSION : '0.0.0-unbundled';

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
  process.stdout.write(`a3s-box version ${version}\n`);
} else if (Number.parseInt(process.versions.node, 10) < NEEDED_MAJOR) {
  process.stderr.write(`a3s-box: Node.js ${NEEDED_MAJOR} or newer is needed, and this is ${process.versions.node}\n`);
  process.stderr.write('a3s-box: hint: put a newer node first in PATH, or run `npm run build` in the checkout\n');
  process.exitCode = 125;
} else {
  await main();
}

async function main(): Promise<void> {
  const directory = fileURLToPath(new URL('.', import.meta.url));
  // Beside the code and by its owner only, so that nobody else's files are run, and none is left that is not theirs.
  if (statSync(directory).uid === process.getuid?.()) module.enableCompileCache(`${directory}/cache`);
  const { runCli } = await import('./cli.js');
  const { printError } = await import('./print-error.js');
  const options = { json: false, debug: Boolean(process.env['A3S_BOX_DEBUG']) };
  const fail = (error: unknown): never => process.exit(printError(error, options));
  process.on('uncaughtException', fail);
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    error.code === 'EPIPE' ? process.exit(141) : fail(error),
  );
  process.stderr.on('error', () => process.exit(141));
  const supervisorEntry = new URL('../supervisor.js', import.meta.url);
  const status = await runCli(argv, { version, supervisorEntry, environment: process.env });
  // What is written last must be out before the end; stdin may still be open and would keep the process.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(status)));
}
