import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import type { Readable } from 'node:stream';
import { asBoxError, isErrorCode } from '../errors/as-box-error.js';
import { BoxError } from '../errors/box-error.js';
import type { HomeLayout } from '../store/home-layout.js';

/** How a host starts the supervisor of a home. */
export interface SupervisorCommand {
  /** Program and arguments. The program finds descriptor 3 open and reports on it, see {@link launchSupervisor}. */
  readonly command: readonly string[];
  /** Its whole environment. Default: that of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Distribution file that `command` names; absolute path. A supervisor that runs with another one is refused. */
  readonly distribution?: string;
}

const READY_DESCRIPTOR = 3;
const LONGEST_REPORT = 64 * 1024;
const LOG_TAIL = 2048;
/** Longest supervisor log that a new supervisor goes on with, bytes. */
const LOG_LIMIT = 8 * 1024 * 1024;

/**
 * Whether something listens at a Unix socket.
 * @throws SUPERVISOR_UNREACHABLE when that cannot be told, CANCELLED
 */
export function listensAt(path: string, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(asBoxError(signal.reason));
    const socket = connect({ path, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(false);
      else if (error.name === 'AbortError') reject(asBoxError(error));
      else
        reject(unreachable(`the supervisor's socket ${path} cannot be connected to: ${error.code}`, { cause: error }));
    });
  });
}

/**
 * Starts the supervisor in a process session of its own, with its standard streams on the home's log, and waits for
 * its one line on descriptor 3: `{"ready":true}`, or `{"error":{"code","message","hint"}}`. It outlives this process.
 * Where another one already serves the home, the new one reports ready and goes.
 *
 * @param signal ends the waiting; the supervisor goes on
 * @throws SUPERVISOR_UNREACHABLE when it cannot be started or dies first, the error that it reports, CANCELLED
 */
export async function launchSupervisor(
  layout: HomeLayout,
  { command: [program, ...args], environment }: SupervisorCommand,
  signal?: AbortSignal,
): Promise<void> {
  if (program === undefined) throw new BoxError('INVALID_ARGUMENT', 'the command of the supervisor is empty');
  signal?.throwIfAborted();
  rotate(layout.supervisorLog);
  const log = openSync(layout.supervisorLog, 'a+', 0o600);
  try {
    const logStart = fstatSync(log).size;
    const child = spawn(program, args, {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
      ...(environment === undefined ? {} : { env: environment }),
    });
    child.unref();
    const line = await reportOf(child, signal);
    if (line === undefined) {
      const tail = tailOf(log, logStart);
      throw unreachable(`the supervisor ended before it was ready${tail && `; it wrote: ${tail}`}`, {
        hint: `its log is ${layout.supervisorLog}`,
      });
    }
    checkReport(line);
  } finally {
    closeSync(log);
  }
}

/** A log that has grown too long is put aside, in the place of the one before. */
function rotate(log: string): void {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT) renameSync(log, `${log}.1`);
}

/** The line, or undefined when the descriptor was closed without one. */
function reportOf(child: ChildProcess, signal?: AbortSignal): Promise<string | undefined> {
  const pipe = child.stdio[READY_DESCRIPTOR] as Readable;
  return new Promise<string | undefined>((resolve, reject) => {
    let text = '';
    pipe.setEncoding('utf8');
    pipe.on('data', (piece: string) => {
      text += piece;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > LONGEST_REPORT) reject(unreachable('the supervisor reported something else than a line'));
    });
    pipe.once('end', () => resolve(undefined));
    pipe.once('error', () => resolve(undefined));
    child.once('error', (cause) =>
      reject(unreachable(`the supervisor cannot be started: ${cause.message}`, { cause })),
    );
    signal?.addEventListener('abort', () => reject(asBoxError(signal.reason)), { once: true });
  }).finally(() => pipe.destroy());
}

function checkReport(line: string): void {
  let report: { readonly ready?: unknown; readonly error?: Record<string, unknown> };
  try {
    report = JSON.parse(line) as typeof report;
  } catch (cause) {
    throw unreachable(`the supervisor's report is not JSON: ${line.slice(0, 200)}`, { cause });
  }
  if (report?.ready === true) return;
  const { code, message, hint } = report?.error ?? {};
  throw new BoxError(
    isErrorCode(code) ? code : 'SUPERVISOR_UNREACHABLE',
    typeof message === 'string' ? message : 'the supervisor could not start',
    typeof hint === 'string' ? { hint } : {},
  );
}

/** The end of what was written to the log since `start`, on one line. */
function tailOf(log: number, start: number): string {
  const { size } = fstatSync(log);
  const from = Math.max(start, size - LOG_TAIL);
  const buffer = Buffer.alloc(size - from);
  const length = readSync(log, buffer, 0, buffer.length, from);
  return buffer.toString('utf8', 0, length).trim();
}

function unreachable(message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}): BoxError {
  return new BoxError('SUPERVISOR_UNREACHABLE', message, options);
}
