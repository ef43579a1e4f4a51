import { setTimeout } from 'node:timers/promises';

/** How often and how soon a registry is asked again. */
export interface RetryPolicy {
  /** In all, the first one included. */
  readonly attempts: number;
  /** Before the second attempt, milliseconds; each further wait is twice as long. */
  readonly firstDelayMs: number;
  /** Longest wait that is chosen here. */
  readonly maxDelayMs: number;
  /** Longest wait that a registry may ask for; one that asks for more has failed. */
  readonly maxAskedMs: number;
}

export const DEFAULT_RETRIES: RetryPolicy = {
  attempts: 4,
  firstDelayMs: 250,
  maxDelayMs: 10_000,
  maxAskedMs: 60_000,
};

/**
 * How long to wait before the next attempt, in milliseconds: between half and all of a time that doubles, so that many
 * who failed together do not come back together; and no shorter than what the registry asked for.
 * @param failed attempts so far, at least 1
 * @param askedMs what the registry asked for
 * @param random from 0 to 1
 * @returns undefined when there is to be none
 */
export function delayBefore(
  policy: RetryPolicy,
  { failed, askedMs = 0, random }: { failed: number; askedMs?: number | undefined; random: number },
): number | undefined {
  if (failed >= policy.attempts || askedMs > policy.maxAskedMs) return undefined;
  const longest = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (failed - 1));
  return Math.max(askedMs, longest * (0.5 + random / 2));
}

/** A `Retry-After` header in milliseconds from now: seconds, or a date. @returns undefined when it is neither */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** Waits; rejects when the signal fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal });
}

/** Whether asking again may help. */
export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** Errors of a connection that come again, however often one tries. */
const PERMANENT =
  /^(?:ENOTFOUND|EPROTO|CERT_|ERR_TLS|ERR_SSL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_|INVALID_CA|UND_ERR_INVALID)/;

/** Whether a connection's error may pass. */
export function mayPass(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && PERMANENT.test(code)) return false;
  }
  return true;
}
