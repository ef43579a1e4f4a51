import { BoxError } from '@a3s-box/core';
import type { BoxSpec, HealthcheckSpec } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { healthFlags } from '../commands/health-flags.js';

/** The health check that was asked for. @throws INVALID_ARGUMENT */
export function healthcheckOf(flags: Input<typeof healthFlags>['flags']): Pick<BoxSpec, 'healthcheck'> {
  const command = flags['health-cmd'];
  const intervalMs = flags['health-interval'];
  const timeoutMs = flags['health-timeout'];
  const startPeriodMs = flags['health-start-period'];
  const startIntervalMs = flags['health-start-interval'];
  const retries = flags['health-retries'];
  const healthcheck: HealthcheckSpec = {
    ...(command !== undefined && { test: ['CMD-SHELL', command] }),
    ...(intervalMs !== undefined && { intervalMs }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(startPeriodMs !== undefined && { startPeriodMs }),
    ...(startIntervalMs !== undefined && { startIntervalMs }),
    ...(retries !== undefined && retries > 0 && { retries }),
  };
  const given = Object.keys(healthcheck).length > 0;
  if (!flags['no-healthcheck']) return given ? { healthcheck } : {};
  if (given) throw new BoxError('INVALID_ARGUMENT', '--no-healthcheck conflicts with --health-* options');
  return { healthcheck: { test: ['NONE'] } };
}
