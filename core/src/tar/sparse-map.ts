import { corrupt } from './fault.js';
import { paxNumber, type PaxRecord } from './pax.js';
import { tarNumber } from './tar-header.js';

/** A run of data in a sparse file. Bytes. */
export interface SparseRun {
  readonly offset: number;
  readonly length: number;
}

/** How a sparse file's map is given; the GNU tar manual, appendix D.3, describes the four ways. */
export type SparseSource =
  | { readonly kind: 'map'; readonly runs: readonly SparseRun[]; readonly realSize: number }
  /** Format 1.0: the map stands before the data, in the file's own content. */
  | { readonly kind: 'leading'; readonly realSize: number };

const MAX_RUNS = 1_000_000;

/** The entries of an old GNU sparse header (4 at offset 386) or of its extension block (21 at offset 0). */
export function oldGnuRuns(block: Buffer, offset: number, count: number): SparseRun[] {
  const runs: SparseRun[] = [];
  for (let i = 0; i < count; i++) {
    const at = offset + i * 24;
    if (block[at] === 0 && block[at + 12] === 0) break;
    runs.push({ offset: tarNumber(block, at, 12, 'sparse map'), length: tarNumber(block, at + 12, 12, 'sparse map') });
  }
  return runs;
}

/**
 * Finds a sparse map in PAX records (GNU formats 0.0, 0.1 and 1.0).
 * @returns undefined when the entry is not sparse
 * @throws IMAGE_CORRUPT when the map is malformed
 */
export function paxSparse(records: readonly PaxRecord[]): SparseSource | undefined {
  const last = new Map<string, Buffer>();
  const pairs: number[] = [];
  for (const { key, value } of records) {
    if (!key.startsWith('GNU.sparse.')) continue;
    last.set(key, value);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') pairs.push(paxNumber(key, value));
  }
  if (last.size === 0) return undefined;
  const major = last.get('GNU.sparse.major');
  if (major !== undefined) {
    const version = `${major.toString('latin1')}.${last.get('GNU.sparse.minor')?.toString('latin1') ?? ''}`;
    const realSize = last.get('GNU.sparse.realsize');
    if (version !== '1.0' || realSize === undefined)
      throw corrupt(`tar has a sparse file of unknown format ${version}`);
    return { kind: 'leading', realSize: paxNumber('GNU.sparse.realsize', realSize) };
  }
  const size = last.get('GNU.sparse.size');
  if (size === undefined) throw corrupt('tar has a sparse file without a size');
  const map = last.get('GNU.sparse.map');
  const numbers = map === undefined ? pairs : commaNumbers(map);
  if (numbers.length % 2 !== 0) throw corrupt('tar has a sparse file whose map is incomplete');
  return { kind: 'map', runs: toRuns(numbers), realSize: paxNumber('GNU.sparse.size', size) };
}

function commaNumbers(map: Buffer): number[] {
  if (map.length === 0) return [];
  return map
    .toString('latin1')
    .split(',')
    .map((part) => paxNumber('GNU.sparse.map', Buffer.from(part, 'latin1')));
}

function toRuns(numbers: readonly number[]): SparseRun[] {
  const runs: SparseRun[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    runs.push({ offset: numbers[i] as number, length: numbers[i + 1] as number });
  }
  return runs;
}

/** Collects the map that leads a format 1.0 file: a count, then offset and length of each run, one number a line. */
export class LeadingMap {
  private readonly numbers: number[] = [];
  private digits = '';

  /** Takes one byte. @returns whether the map is complete @throws IMAGE_CORRUPT */
  push(byte: number): boolean {
    if (byte >= 0x30 && byte <= 0x39) {
      this.digits += String.fromCharCode(byte);
      return false;
    }
    if (byte !== 0x0a) throw corrupt('tar has a sparse file whose map holds something else than numbers');
    this.numbers.push(paxNumber('sparse map', Buffer.from(this.digits)));
    this.digits = '';
    const runs = this.numbers[0] as number;
    if (runs > MAX_RUNS) throw corrupt(`tar has a sparse file with ${runs} runs`);
    return this.numbers.length === 1 + 2 * runs;
  }

  get runs(): SparseRun[] {
    return toRuns(this.numbers.slice(1));
  }
}

/**
 * Checks that runs ascend, do not overlap, end within the file, and hold as many bytes as the archive stores; drops
 * empty ones.
 * @throws IMAGE_CORRUPT
 */
export function checkRuns(runs: readonly SparseRun[], realSize: number, stored: number): SparseRun[] {
  let end = 0;
  let sum = 0;
  for (const run of runs) {
    if (run.offset < end || run.offset + run.length > realSize) {
      throw corrupt('tar has a sparse file whose map does not fit its size');
    }
    end = run.offset + run.length;
    sum += run.length;
  }
  if (sum !== stored) throw corrupt(`tar has a sparse file whose map names ${sum} bytes where ${stored} are stored`);
  return runs.filter((run) => run.length > 0);
}
