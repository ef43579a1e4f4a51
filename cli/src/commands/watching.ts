import { defineCommand } from '../command.js';
import { parseMoment } from '../grammar/moment.js';
import { nonEmpty } from '../grammar/values.js';
import { objectFormatFlag } from './format-flag.js';

const moment = { kind: 'value', placeholder: 'TIME', parse: (value: string) => parseMoment(value) } as const;

export const systemAuditFlags = {
  ...objectFormatFlag,
  since: { ...moment, summary: 'only from this time on: 2026-01-02T15:04:05Z, or 10m ago' },
  until: { ...moment, summary: 'only up to this time' },
} as const;

export const systemAudit = defineCommand({
  name: 'system audit',
  family: 'System',
  summary: 'Print who asked for what, and what came of it',
  description: [
    'Of every call that changes something, and every exec: one line when it begins and one when it ends. Names of variables are ' +
      'kept, their values are not.',
  ],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: systemAuditFlags,
  examples: [
    'a3s-box system audit --since 1h',
    "a3s-box system audit --format '{{.Operation}} {{.Subject}} {{.Outcome}}'",
  ],
  load: async () => (await import('../actions/audit.js')).printAudit,
});

export const systemMetricsFlags = {
  listen: {
    kind: 'value',
    placeholder: 'ADDRESS',
    parse: nonEmpty,
    summary: 'serve them at unix:/absolute/path, 127.0.0.1:PORT or [::1]:PORT, now and under the next supervisors',
  },
  off: { kind: 'boolean', summary: 'serve them no more' },
} as const;

export const systemMetrics = defineCommand({
  name: 'system metrics',
  family: 'System',
  summary: 'Show where metrics for Prometheus are served, or change that',
  description: ['Nowhere, unless it was asked for. The supervisor does not end by itself while it serves them.'],
  synopsis: '',
  minArgs: 0,
  maxArgs: 0,
  interspersed: true,
  flags: systemMetricsFlags,
  examples: ['a3s-box system metrics --listen 127.0.0.1:9323'],
  load: async () => (await import('../actions/metrics.js')).changeMetrics,
});
