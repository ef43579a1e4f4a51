/** `npm run kvm-host [-- COMMAND [ARGUMENT...]]`: a shell, or one command, in the emulated KVM host. */
import { join } from 'node:path';
import { KvmHost, shellWord } from './kvm-host.ts';
import { hostObstacle } from './obstacle.ts';

const root = join(import.meta.dirname, '../..');
const words = process.argv.slice(2);
const terminal = process.stdin.isTTY && process.stdout.isTTY;
const obstacle = hostObstacle();
if (obstacle !== undefined) {
  console.error(`kvm-host: ${obstacle}`);
  process.exit(1);
}
const started = Date.now();
await using host = await KvmHost.start(root, (line) => console.error(line));
if (process.stderr.isTTY)
  console.error(`kvm-host: up after ${((Date.now() - started) / 1000).toFixed(1)} s; the checkout is in /a3s-box`);
const line = words.length === 0 ? 'exec bash -l' : `exec ${words.map(shellWord).join(' ')}`;
const child = host.spawn({ line, terminal }, { stdio: 'inherit' });
// The terminal's signals reach the command through its own terminal; this process ends with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
process.exitCode = await new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 255)));
