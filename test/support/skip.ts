/** Skipping with a reason. A skip without one is a failure. */
import type { Context, Runnable, Suite } from 'mocha';

const REASON = Symbol.for('a3s-box.test.skip-reason');

interface Reasoned {
  [REASON]?: string;
}

/**
 * Skips the test, or from a `before` hook all tests of its suite. The reason is counted and printed at the end.
 *
 *     it('does it', function () {
 *       if (!hasKvm) skip(this, 'no /dev/kvm');
 */
export function skip(context: Context, reason: string): never {
  const runnable = context.test as (Runnable & Reasoned & { type?: string }) | undefined;
  if (runnable === undefined) throw new Error('skip: called outside a test or hook');
  (runnable as Reasoned)[REASON] = reason;
  if (context.currentTest !== undefined) (context.currentTest as Reasoned)[REASON] = reason;
  else if (runnable.type === 'hook' && runnable.parent !== undefined) (runnable.parent as Reasoned)[REASON] = reason;
  return context.skip();
}

/**
 * Skips unless something that set-up installs is there. Where CI=true its absence is a failure instead: the machine is
 * known to have it.
 */
export function needs(context: Context, present: boolean, what: string): void {
  if (present) return;
  if (process.env['CI'] === 'true') throw new Error(`this machine must have ${what} (CI=true)`);
  skip(context, `${what} is missing; \`npm test\` as root installs it`);
}

/** The reason that `skip` was given for a test, through its suites; null when there is none. */
export function skipReason(test: Runnable): string | null {
  let node: Runnable | Suite | undefined = test;
  while (node !== undefined) {
    const reason = (node as Reasoned)[REASON];
    if (reason !== undefined) return reason;
    node = node.parent;
  }
  return null;
}
