/** Draws a trace of `a3s-box run --trace` as an SVG: `node scripts/trace-picture.ts TRACE.json PICTURE.svg`. */
import { readFileSync, writeFileSync } from 'node:fs';

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  /** Microseconds. */
  readonly ts?: number;
  readonly dur?: number;
}

const WIDTH = 900;
const LABELS = 150;
const ROW = 20;
const STEP_MS = 100;

const [from = '', to = ''] = process.argv.slice(2);
const trace = JSON.parse(readFileSync(from, 'utf8')) as TraceEvent[] | { readonly traceEvents: TraceEvent[] };
const events = (Array.isArray(trace) ? trace : trace.traceEvents)
  .flatMap(({ name, ts, dur }) => (ts === undefined || dur === undefined ? [] : [{ name, ts, dur }]))
  .sort((a, b) => a.ts - b.ts);
const begin = Math.min(...events.map(({ ts }) => ts));
const lengthMs = Math.max(...events.map(({ ts, dur }) => ts + dur - begin)) / 1000;
const scale = (WIDTH - LABELS - 60) / lengthMs;
const height = (events.length + 2) * ROW;

const ticks = Array.from({ length: Math.floor(lengthMs / STEP_MS) + 1 }, (_, index) => {
  const x = LABELS + index * STEP_MS * scale;
  const label =
    index % 2 === 0 ? `<text x="${x.toFixed(1)}" y="14" text-anchor="middle">${index * STEP_MS}</text>` : '';
  return `<line x1="${x.toFixed(1)}" y1="${ROW}" x2="${x.toFixed(1)}" y2="${height}" stroke="#ddd"/>${label}`;
});
const bars = events.map(({ name, ts, dur }, index) => {
  const x = LABELS + ((ts - begin) / 1000) * scale;
  const y = (index + 1) * ROW;
  const ms = dur / 1000;
  const width = Math.max(1, ms * scale);
  return [
    `<text x="${LABELS - 8}" y="${y + 14}" text-anchor="end">${name}</text>`,
    `<rect x="${x.toFixed(1)}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW - 6}" fill="#4878a8"/>`,
    `<text x="${(x + width + 4).toFixed(1)}" y="${y + 14}">${ms < 10 ? ms.toFixed(1) : Math.round(ms)}</text>`,
  ].join('');
});
const style = 'font-family="sans-serif" font-size="12"';
const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ${style}>`;
const back = `<rect width="${WIDTH}" height="${height}" fill="white"/>`;
writeFileSync(to, `${[head, back, ...ticks, ...bars, '</svg>'].join('\n')}\n`);
