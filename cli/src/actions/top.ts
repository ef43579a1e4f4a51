import { BoxError } from '@a3s-box/core';
import { BoxClient, type BoxProcesses } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import { escapeControls } from '../escape-controls.js';
import type { Invocation } from '../invocation.js';
import { nameOf } from './each-box.js';
import { table } from './table.js';

type None = Record<never, never>;

const HEADERS = ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'];
/** What ps prints its full list for. */
const OPTIONS = ['-ef', '-fe', 'ef', '-e -f', '-f -e'];
const DAY_MS = 86_400_000;

/** `top`. */
export async function showProcesses(
  { args: [name = '', ...options] }: Input<None>,
  invocation: Invocation,
): Promise<number> {
  const asked = options.join(' ');
  if (asked !== '' && !OPTIONS.includes(asked)) {
    throw new BoxError('UNSUPPORTED', `options of ps are not supported: ${asked}`, {
      hint: 'leave them out, or give -ef',
    });
  }
  using client = await BoxClient.connect(invocation);
  const { processes, leftOut } = await client.top(nameOf(name));
  const now = new Date();
  process.stdout.write(table([HEADERS, ...processes.map((one) => line(one, now))]));
  if (leftOut > 0) process.stderr.write(`a3s-box: ${leftOut} more processes are not shown\n`);
  return 0;
}

function line(one: BoxProcesses['processes'][number], now: Date): string[] {
  const { user, pid, parent, cpuMs, started, terminal, command } = one;
  const age = Math.max(now.getTime() - started.getTime(), 1);
  return [
    user === 0 ? 'root' : String(user),
    String(pid),
    String(parent),
    String(Math.min(99, Math.floor((cpuMs / age) * 100))),
    startText(started, now),
    terminal,
    timeText(cpuMs),
    escapeControls(command).replaceAll(/[\n\t]/g, ' '),
  ];
}

/** The time of day, or of a process that is older the day. */
function startText(started: Date, now: Date): string {
  if (now.getTime() - started.getTime() < DAY_MS) return started.toTimeString().slice(0, 5);
  return started.toLocaleDateString('en-US', { month: 'short', day: '2-digit' }).replace(' ', '');
}

function timeText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
