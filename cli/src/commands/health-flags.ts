/** Flags of health checks. */
import { parseDuration, parseCount, nonEmpty } from '../grammar/values.js';

const time = { kind: 'value', placeholder: 'TIME', parse: parseDuration } as const;

export const healthFlags = {
  'health-cmd': {
    kind: 'value',
    placeholder: 'COMMAND',
    parse: nonEmpty,
    absent: "the image's",
    summary: "line for the box's shell that says by its exit status whether the box is well",
  },
  'health-interval': { ...time, absent: "the image's, else 30s", summary: 'time between two health checks' },
  'health-retries': {
    kind: 'value',
    placeholder: 'NUMBER',
    parse: parseCount,
    absent: "the image's, else 3",
    summary: 'so many failures in a row make the box unhealthy',
  },
  'health-start-interval': {
    ...time,
    absent: "the image's, else 5s",
    summary: 'time between two health checks in the start period, until one succeeds',
  },
  'health-start-period': {
    ...time,
    absent: "the image's, else 0s",
    summary: 'failures in this time after the start do not count, until a health check succeeds',
  },
  'health-timeout': {
    ...time,
    absent: "the image's, else 30s",
    summary: 'a health check that takes longer has failed',
  },
  'no-healthcheck': { kind: 'boolean', summary: "leave the image's health check out" },
} as const;
