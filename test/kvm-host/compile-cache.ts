/**
 * What V8 makes of the checkout's JavaScript: made on the machine itself, where it takes seconds, and used in the host, where
 * it takes a minute. Node.js finds it there by the place of the files relative to it.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HOST_GROUPS } from './suites.ts';

const run = promisify(execFile);
/** In the checkout, here and in the host. */
export const COMPILE_CACHE = '.cache/kvm-host/compile-cache';
const NO_TEST = '(?!)';
let filled: Promise<void> | undefined;

/** Environment of what shall use it. @param checkout absolute path */
export function compileCacheEnvironment(checkout: string): Record<string, string> {
  return { NODE_COMPILE_CACHE: join(checkout, COMPILE_CACHE), NODE_COMPILE_CACHE_PORTABLE: '1' };
}

/** Brings the cache up to date with the checkout, once for each process. */
export function fillCompileCache(root: string): Promise<void> {
  return (filled ??= fill(root));
}

async function fill(root: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cc'));
  const env = { ...process.env, ...compileCacheEnvironment(root), TMPDIR: directory, A3S_BOX_HOME: directory };
  try {
    await Promise.all([loadTests(root, env), useSupervisor(root, env)]);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** Loads the files of all lanes without running a test. */
async function loadTests(root: string, env: NodeJS.ProcessEnv): Promise<void> {
  const files = new Set(Object.values(HOST_GROUPS).flatMap((groups) => groups.flatMap(({ suites }) => suites)));
  const job = { files: [...files].map(({ file }) => join(root, file)), timeoutMs: 1000, grep: NO_TEST };
  const worker = join(root, 'test/support/mocha-worker.ts');
  // Its reports tell nothing: no test runs.
  await using nowhere = await open('/dev/null', 'w');
  const stdio = ['ignore', 'ignore', 'inherit', nowhere.fd] as const;
  const child = spawn(process.execPath, [worker, JSON.stringify(job)], { cwd: root, env, stdio: [...stdio] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the KVM host's tests cannot be loaded (status ${String(code)})`);
}

/** The command line, the supervisor that it starts, and that one's end. */
async function useSupervisor(root: string, env: NodeJS.ProcessEnv): Promise<void> {
  const command = join(root, 'cli/bin/a3s-box');
  await run(command, ['ps'], { env });
  // Refused; all that it takes to be asked has been loaded then.
  await run(command, ['run', '--rm', '--backend', 'nothing', 'none', 'true'], { env }).catch(() => undefined);
  await run(process.execPath, [join(import.meta.dirname, 'stop-supervisor.ts')], { env });
}
