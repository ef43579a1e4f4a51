/** Checks types of tests and scripts, rules and formatting; tells all that is wrong. `npm run lint`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

interface Check {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

interface Result {
  readonly name: string;
  readonly passed: boolean;
  readonly output: string;
  readonly seconds: number;
}

const root = join(import.meta.dirname, '..');
const checks: readonly Check[] = [
  { name: 'types of tests and scripts', command: 'tsc', args: ['-p', 'tsconfig.test.json', '--pretty', 'false'] },
  { name: 'rules and layers', command: 'oxlint', args: ['--deny-warnings'] },
  { name: 'formatting', command: 'prettier', args: ['--check', '--cache', '--log-level', 'warn', '.'] },
];

const results: Result[] = [];
for (const check of checks) results.push(await run(check));

for (const { name, output } of results.filter(({ passed }) => !passed)) console.log(`${name}:\n${output.trimEnd()}\n`);
for (const { name, passed, seconds } of results) {
  console.log(`${passed ? 'passed' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)`);
}
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;

/** Runs a tool of node_modules; one that cannot be started has failed. */
async function run({ name, command, args }: Check): Promise<Result> {
  const begin = Date.now();
  const file = join(root, 'node_modules/.bin', command);
  const child = spawn(process.execPath, [file, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false));
    child.once('close', (status) => resolve(status === 0));
  });
  const [passed, ...output] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { name, passed, output: output.join(''), seconds: (Date.now() - begin) / 1000 };
}
