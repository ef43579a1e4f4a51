import { BoxClient, type AuditRecord } from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { systemAuditFlags } from '../commands/watching.js';
import { escapeControls } from '../escape-controls.js';
import { jsonOf } from '../format/go-values.js';
import { objectFormat } from '../format/object-format.js';
import type { Invocation } from '../invocation.js';
import { Interruption } from './interruption.js';

/** `system audit`. */
export async function printAudit({ flags }: Input<typeof systemAuditFlags>, invocation: Invocation): Promise<number> {
  const { since, until, format } = flags;
  const print = format === undefined ? undefined : objectFormat(format);
  using interruption = new Interruption();
  return await interruption.guard(async (signal) => {
    using client = await BoxClient.connect({ ...invocation, signal });
    const records = client.watching.audit({
      signal,
      ...(since !== undefined && { sinceNs: since }),
      ...(until !== undefined && { untilNs: until }),
    });
    for await (const record of records) process.stdout.write(print ? print(documentOf(record)) : lineOf(record));
    return 0;
  });
}

function lineOf(record: AuditRecord): string {
  const { call, uid, pid, operation, subject, details, outcome } = record;
  const who = `uid=${uid ?? '?'} pid=${pid ?? '?'}`;
  const words = [timeOf(record), call, who, operation, subject === '' ? '-' : subject, outcome, jsonOf(details)];
  return `${escapeControls(words.join(' ')).replaceAll(/[\n\t]/g, ' ')}\n`;
}

function documentOf(record: AuditRecord): object {
  const { call, uid, pid, operation, subject, box, details, outcome } = record;
  return {
    Time: timeOf(record),
    Call: call,
    UID: uid ?? null,
    PID: pid ?? null,
    Operation: operation,
    Subject: subject,
    Box: box ?? '',
    Details: new Map(Object.entries(details)),
    Outcome: outcome,
  };
}

function timeOf({ timeNs }: AuditRecord): string {
  return new Date(Number(timeNs / 1_000_000n)).toISOString();
}
