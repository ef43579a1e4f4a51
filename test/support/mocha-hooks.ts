/**
 * Root hooks of every mocha run: give the run a temporary directory of its own (TMPDIR) and fail it when something is
 * left in it or of it. The runner loads this; to run mocha by hand use `mocha --require test/support/mocha-hooks.ts`.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runActionsAtEnd } from './at-end.ts';
import { describeLeaks, listTaps, RUN_MARKER, settleLeaks, type LeakScope } from './leaks.ts';

const marked = process.env[RUN_MARKER] !== undefined;
const directory = marked ? tmpdir() : mkdtempSync(join(tmpdir(), 'a3s'));
const marker = (process.env[RUN_MARKER] ??= randomUUID());
process.env['TMPDIR'] = directory;
// A test that names no home gets one that is watched, never the user's.
process.env['A3S_BOX_HOME'] ??= join(directory, 'home');
mkdirSync(directory, { recursive: true });

// What the runner and mocha's own parents are is no leak.
const scope: LeakScope = {
  directory,
  marker,
  ignorePids: new Set([process.pid, process.ppid]),
  tapsBefore: listTaps(),
};

/** By how much what is slow here takes longer than on the machine itself; the KVM host's lane says it. */
const slowness = Number(process.env['A3S_BOX_TEST_SLOWNESS'] ?? 1);
const SETTLE_LIMIT_MS = 2000;

export const mochaHooks = {
  async afterAll(): Promise<void> {
    await runActionsAtEnd();
    const leaks = await settleLeaks(scope, SETTLE_LIMIT_MS * slowness);
    if (leaks.length > 0) throw new Error(`left behind by these tests:\n${describeLeaks(leaks)}`);
    if (!marked) rmSync(directory, { recursive: true, force: true });
  },
};
