import type { BoxRecord, ExitStatus } from '@a3s-box/core/client';
import { humanDuration } from './human-duration.js';

const TIMED_OUT = 124;
const SHORT_REASON = 40;

/** The exit status for how a workload ended; undefined where that is not known. */
export function codeOf(status: ExitStatus): number | undefined {
  if (status.timedOut) return TIMED_OUT;
  return status.known ? status.code : undefined;
}

/** Whether a box has a process, also one that is paused or ends, or will have one in a moment. */
export function isUp({ state }: BoxRecord): boolean {
  return state === 'running' || state === 'paused' || state === 'stopping' || state === 'restarting';
}

/** `Up 3 minutes`, `Exited (7) 2 hours ago`, as Docker says it. @param short whether a reason is cut to its beginning */
export function statusOf(box: BoxRecord, now: Date, short: boolean): string {
  const { state, started, finished, exit, pausedBecause } = box;
  const up = `Up ${humanDuration(started ?? now, now)}${healthText(box)}`;
  switch (state) {
    case 'created':
      return 'Created';
    case 'starting':
      return 'Starting';
    case 'running':
      return up;
    case 'paused':
      return `${up} (Paused${pausedBecause === undefined || pausedBecause === 'user' ? '' : `: ${pausedBecause.replaceAll('-', ' ')}`})`;
    case 'stopping':
      return `${up} (Stopping)`;
    case 'restarting':
      return `Restarting (${(exit && codeOf(exit)) ?? 'unknown'}) ${ago(finished, now)}`.trimEnd();
    case 'exited':
      return `Exited (${(exit && codeOf(exit)) ?? 'unknown'}) ${ago(finished, now)}`.trimEnd();
    case 'dead': {
      const reason = plain(exit?.reason ?? '');
      if (reason === '') return `Dead ${ago(finished, now)}`.trimEnd();
      return `Dead: ${short && reason.length > SHORT_REASON ? `${reason.slice(0, SHORT_REASON - 1)}…` : reason}`;
    }
  }
}

function healthText({ health, state }: BoxRecord): string {
  if (!health || state !== 'running') return '';
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`;
}

function ago(date: Date | undefined, now: Date): string {
  return date === undefined ? '' : `${humanDuration(date, now)} ago`;
}

/** Fit for a cell of a table. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
}
