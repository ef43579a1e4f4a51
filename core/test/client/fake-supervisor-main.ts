/**
 * The fake supervisor as a process of its own, started as a host starts the real one:
 *   [FAKE_SUPERVISOR=MODE] node fake-supervisor-main.ts --home HOME [...]
 * Like the real one it holds a lock (flock(1)), and one that finds it taken reports ready when the holder listens.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, openSync, rmSync, watch, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { FakeSupervisor } from './fake-supervisor.ts';

const home = process.argv[process.argv.indexOf('--home') + 1]!;
const mode = process.env['FAKE_SUPERVISOR'] ?? 'ready';
appendFileSync(`${home}/starts`, `${process.pid}\n`);

function report(value: unknown): void {
  writeSync(3, `${JSON.stringify(value)}\n`);
  closeSync(3);
}

switch (mode) {
  case 'dies':
    writeSync(2, 'first line\nno memory for the supervisor\n');
    process.exit(3);
    break;
  case 'refuses':
    report({ error: { code: 'ASSETS_MISSING', message: 'the kernel is missing', hint: 'run npm run build' } });
    break;
  case 'babbles':
    writeSync(3, 'hello\n');
    break;
  case 'mute':
    setInterval(() => {}, 1 << 30);
    break;
  default:
    await serve();
}

async function serve(): Promise<void> {
  const lock = openSync(`${home}/supervisor.lock`, 'a');
  const taken = spawnSync('flock', ['-n', '9'], {
    stdio: ['ignore', 'ignore', 'ignore', ...Array(6).fill('ignore'), lock],
  });
  const fake = new FakeSupervisor({
    home,
    journal: `${home}/requests.jsonl`,
    notices: mode === 'notices' ? ['no hardware virtualisation: software emulation is used'] : [],
  });
  if (taken.status !== 0) {
    await listening(fake.socket);
    report({ ready: true });
    return;
  }
  rmSync(fake.socket, { force: true });
  await fake.listen();
  appendFileSync(`${home}/listening`, '');
  process.once('SIGTERM', () => void fake.close().then(() => process.exit(0)));
  report({ ready: true });
}

async function listening(path: string): Promise<void> {
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(path, () => (socket.destroy(), resolve(true)));
      socket.once('error', () => resolve(false));
    });
  const watcher = watch(home, { recursive: true });
  while (!existsSync(path) || !(await answers())) await new Promise((resolve) => watcher.once('change', resolve));
  watcher.close();
}
