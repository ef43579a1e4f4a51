import { writeSync } from 'node:fs';
import type { Span } from '@a3s-box/core/client';
import type { Phase } from '../timeline.js';

/** In the order that a viewer shows them. */
const PROCESSES = ['cli', 'supervisor', 'vmm', 'kernel', 'guest-init', 'workload'];

interface Row extends Phase {
  readonly process: string;
}

/**
 * Writes phases as a Chrome trace (Trace Event Format, JSON object form): a process for each part, times in
 * microseconds since the first event.
 * @param file descriptor, stays the caller's
 */
export function writeTrace(file: number, phases: readonly Phase[], spans: readonly Span[]): void {
  writeSync(
    file,
    `${JSON.stringify(traceOf([...phases.map((phase) => ({ ...phase, process: 'cli' })), ...spans]), null, 1)}\n`,
  );
}

/** The document. A span that lasts yet ends with the last other. */
export function traceOf(rows: readonly Row[]): object {
  const names = [...new Set([...PROCESSES, ...rows.map(({ process }) => process)])];
  const first = rows.reduce((least, { startNs }) => (startNs < least ? startNs : least), rows[0]?.startNs ?? 0n);
  const last = rows.reduce((most, { endNs }) => (endNs > most ? endNs : most), first);
  const microseconds = (ns: bigint) => Number(ns) / 1000;
  const events = rows.map(({ name, process, startNs, endNs }) => ({
    name,
    cat: process,
    ph: 'X',
    ts: microseconds(startNs - first),
    dur: microseconds((endNs === 0n ? last : endNs) - startNs),
    pid: names.indexOf(process) + 1,
    tid: 1,
  }));
  const labels = names.flatMap((name, index) => [
    { name: 'process_name', ph: 'M', pid: index + 1, tid: 1, args: { name } },
    { name: 'process_sort_index', ph: 'M', pid: index + 1, tid: 1, args: { sort_index: index } },
  ]);
  return { displayTimeUnit: 'ms', otherData: { startNs: String(first) }, traceEvents: [...labels, ...events] };
}
