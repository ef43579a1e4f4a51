import { BoxError } from '../errors/box-error.js';
import type { ImageHealthcheck } from '../ports/image-store.js';
import type { BoxSpec } from './box-spec.js';
import { LONGEST_TIMER } from './time-limit.js';

/** How a box is asked whether it is well; what is absent is the image's, else the default. Times are milliseconds. */
export interface HealthcheckSpec {
  /** `CMD`, `CMD-SHELL` or `NONE` and what follows; absent: the image's. */
  readonly test?: readonly string[];
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  readonly startPeriodMs?: number;
  readonly startIntervalMs?: number;
  readonly retries?: number;
}

/** What is done in full. */
export interface HealthCheck {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in this time after a start count only once the box was well. */
  readonly startPeriodMs: number;
  /** The interval until it was well, or the start period is over. */
  readonly startIntervalMs: number;
  readonly retries: number;
}

export type HealthStatus = 'starting' | 'healthy' | 'unhealthy';

/** What one probe found. Times are nanoseconds since the Unix epoch. */
export interface HealthResult {
  readonly startNs: string;
  readonly endNs: string;
  /** -1 when it took too long, or could not be started. */
  readonly exitCode: number;
  readonly output: string;
}

export interface Health {
  readonly status: HealthStatus;
  readonly failingStreak: number;
  /** The last ones, oldest first. */
  readonly log: readonly HealthResult[];
}

export const NEW_HEALTH: Health = { status: 'starting', failingStreak: 0, log: [] };

const KEPT = 5;
const NS_PER_MS = 1_000_000;
const DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3 };

/** The health check of a box, if it has one. @throws INVALID_ARGUMENT for one that cannot be */
export function healthCheckOf(
  { healthcheck }: Pick<BoxSpec, 'healthcheck'>,
  image: ImageHealthcheck | undefined,
): HealthCheck | undefined {
  const test = healthcheck?.test ?? image?.test ?? [];
  const command = commandOf(test);
  if (!command) return undefined;
  const given = { ...DEFAULTS, ...timesOf(image), ...timesGiven(healthcheck) };
  for (const [name, value] of Object.entries(given)) {
    if (Number.isSafeInteger(value) && value >= (name === 'startPeriodMs' ? 0 : 1)) continue;
    throw new BoxError('INVALID_ARGUMENT', `health check: ${name} cannot be ${value}`);
  }
  const { intervalMs, startIntervalMs, timeoutMs } = given;
  return {
    ...given,
    command,
    intervalMs: Math.min(intervalMs, LONGEST_TIMER),
    startIntervalMs: Math.min(startIntervalMs, LONGEST_TIMER),
    timeoutMs: Math.min(timeoutMs, LONGEST_TIMER),
  };
}

/** What an image says of the health check of its boxes, with what was asked for with one. */
export function imageHealthcheckOf(spec: HealthcheckSpec = {}, image?: ImageHealthcheck): ImageHealthcheck | undefined {
  const test = spec.test ?? image?.test;
  if (!test) return undefined;
  const { intervalMs, timeoutMs, startPeriodMs, startIntervalMs, retries } = spec;
  return {
    ...image,
    test,
    ...(intervalMs !== undefined && { intervalNs: intervalMs * NS_PER_MS }),
    ...(timeoutMs !== undefined && { timeoutNs: timeoutMs * NS_PER_MS }),
    ...(startPeriodMs !== undefined && { startPeriodNs: startPeriodMs * NS_PER_MS }),
    ...(startIntervalMs !== undefined && { startIntervalNs: startIntervalMs * NS_PER_MS }),
    ...(retries !== undefined && { retries }),
  };
}

/** What a box's health is after one more probe. @param sinceStartMs of the box, at the probe's start */
export function judge(health: Health, check: HealthCheck, result: HealthResult, sinceStartMs: number): Health {
  const log = [...health.log, result].slice(-KEPT);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (health.status === 'starting' && sinceStartMs < check.startPeriodMs) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= check.retries ? 'unhealthy' : health.status, failingStreak, log };
}

/** How long to wait before the next probe, milliseconds. */
export function delayOf({ status }: Health, check: HealthCheck, sinceStartMs: number): number {
  const starts = status === 'starting' && sinceStartMs < check.startPeriodMs;
  return starts ? Math.min(check.startIntervalMs, check.intervalMs) : check.intervalMs;
}

function commandOf([kind, ...rest]: readonly string[]): readonly string[] | undefined {
  switch (kind) {
    case undefined:
    case 'NONE':
      return undefined;
    case 'CMD':
      if (rest.length > 0) return rest;
      break;
    case 'CMD-SHELL':
      if (rest.length === 1) return ['/bin/sh', '-c', ...rest];
      break;
  }
  throw new BoxError('INVALID_ARGUMENT', `health check ${JSON.stringify([kind, ...rest])} is not valid`, {
    hint: 'it is CMD and a program with its arguments, CMD-SHELL and a line for the shell, or NONE',
  });
}

type Times = Partial<typeof DEFAULTS>;

function timesGiven(healthcheck: HealthcheckSpec = {}): Times {
  const entries = Object.entries(healthcheck).filter(([name, value]) => name !== 'test' && value !== undefined);
  return Object.fromEntries(entries);
}

function timesOf(image: ImageHealthcheck | undefined): Times {
  const times: Times = {};
  const { intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = image ?? {};
  const ms = (ns: number): number => Math.max(1, Math.round(ns / NS_PER_MS));
  return {
    ...times,
    ...(intervalNs && { intervalMs: ms(intervalNs) }),
    ...(timeoutNs && { timeoutMs: ms(timeoutNs) }),
    ...(startPeriodNs && { startPeriodMs: ms(startPeriodNs) }),
    ...(startIntervalNs && { startIntervalMs: ms(startIntervalNs) }),
    ...(retries && { retries }),
  };
}
