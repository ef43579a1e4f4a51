import { corrupt } from './fault.js';
import { decodePax, type PaxRecord } from './pax.js';
import { checkRuns, LeadingMap, oldGnuRuns, paxSparse, type SparseRun } from './sparse-map.js';
import { entryType, EntryExtensions, type TarEntry } from './tar-entry.js';
import { decodeTarHeader, TAR_BLOCK, tarNumber, type TarHeader } from './tar-header.js';

/** What a {@link TarReader} calls. Buffers are valid during the call only. */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** The stored bytes of the entry, in pieces. */
  data(bytes: Buffer): void;
  /** The entry is complete. */
  entryEnd(): void;
  /** Every byte of the archive that is not passed to {@link data}, in order with the other calls. */
  frame(bytes: Buffer): void;
}

/** As in Go's archive/tar, so that what other tools accept is accepted. */
const MAX_EXTENSION = 1024 * 1024;

/** Keys of global PAX headers that change no entry. */
const HARMLESS_GLOBAL =
  /^(comment|charset|hdrcharset|atime|ctime|uname|gname|pax_global_header|realtime\..*|security\..*)$/;

type State =
  | { kind: 'header' }
  | { kind: 'extension'; header: TarHeader; payload: Buffer; filled: number }
  | { kind: 'sparse-block'; header: TarHeader; runs: SparseRun[]; realSize: number }
  | {
      kind: 'leading-map';
      header: TarHeader;
      map: LeadingMap;
      realSize: number;
      stored: number;
      read: number;
      done: boolean;
    }
  | { kind: 'data'; left: number; padding: number }
  | { kind: 'padding'; left: number }
  | { kind: 'trailer' };

/**
 * Reads a tar archive that is pushed in pieces of any size: v7, ustar, PAX, GNU (long names, base 256, all four sparse
 * formats) and star. Names and values stay bytes. Nothing is kept but the current header.
 */
export class TarReader {
  private state: State = { kind: 'header' };
  private readonly block = Buffer.allocUnsafeSlow(TAR_BLOCK);
  private blockFilled = 0;
  private zeroBlocks = 0;
  private extensions = new EntryExtensions();

  constructor(private readonly sink: TarSink) {}

  /** @throws IMAGE_CORRUPT when the archive is malformed */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) at = this.step(chunk, at);
  }

  /**
   * Says that no more bytes come.
   * @param complete whether the end-of-archive mark must have been there; without it an archive that ends after a
   *   whole entry passes, as some tools write them
   * @throws IMAGE_CORRUPT when the archive is cut off
   */
  end(complete: boolean): void {
    const { state } = this;
    const between = state.kind === 'trailer' || (state.kind === 'header' && this.blockFilled === 0);
    if (!between || !this.extensions.empty) throw corrupt('tar archive is cut off in the middle of an entry');
    if (complete && this.zeroBlocks === 0) throw corrupt('tar archive is cut off: its end mark is missing');
  }

  private step(chunk: Buffer, at: number): number {
    const { state } = this;
    switch (state.kind) {
      case 'header':
      case 'sparse-block':
        return this.fillBlock(chunk, at, state);
      case 'extension':
        return this.fillExtension(chunk, at, state);
      case 'leading-map':
        return this.readLeadingMap(chunk, at, state);
      case 'data': {
        const end = Math.min(chunk.length, at + state.left);
        this.sink.data(chunk.subarray(at, end));
        state.left -= end - at;
        if (state.left === 0) this.finishData(state.padding);
        return end;
      }
      case 'padding': {
        const end = Math.min(chunk.length, at + state.left);
        this.sink.frame(chunk.subarray(at, end));
        state.left -= end - at;
        if (state.left === 0) this.state = { kind: 'header' };
        return end;
      }
      case 'trailer':
        this.sink.frame(chunk.subarray(at));
        return chunk.length;
    }
  }

  private fillBlock(chunk: Buffer, at: number, state: State & { kind: 'header' | 'sparse-block' }): number {
    const end = Math.min(chunk.length, at + TAR_BLOCK - this.blockFilled);
    this.sink.frame(chunk.subarray(at, end));
    chunk.copy(this.block, this.blockFilled, at, end);
    this.blockFilled += end - at;
    if (this.blockFilled === TAR_BLOCK) {
      this.blockFilled = 0;
      if (state.kind === 'header') this.takeHeader();
      else this.takeSparseBlock(state);
    }
    return end;
  }

  private takeHeader(): void {
    const header = decodeTarHeader(this.block);
    if (header === undefined) {
      this.zeroBlocks++;
      if (!this.extensions.empty) throw corrupt('tar archive ends after an extension header');
      if (this.zeroBlocks === 2) this.state = { kind: 'trailer' };
      return;
    }
    if (this.zeroBlocks > 0) throw corrupt('tar archive has a block of zeros between entries');
    if (header.size < 0) throw corrupt('tar header has a negative size');
    switch (header.type) {
      case 'x':
      case 'g':
      case 'L':
      case 'K':
        if (header.size > MAX_EXTENSION) throw corrupt(`tar has an extension header of ${header.size} bytes`);
        this.state = { kind: 'extension', header, payload: Buffer.alloc(header.size), filled: 0 };
        if (header.size === 0) this.takeExtension(header, Buffer.alloc(0));
        return;
      default:
        this.startEntry(header);
    }
  }

  private fillExtension(chunk: Buffer, at: number, state: State & { kind: 'extension' }): number {
    const end = Math.min(chunk.length, at + state.payload.length - state.filled);
    this.sink.frame(chunk.subarray(at, end));
    chunk.copy(state.payload, state.filled, at, end);
    state.filled += end - at;
    if (state.filled === state.payload.length) this.takeExtension(state.header, state.payload);
    return end;
  }

  private takeExtension(header: TarHeader, payload: Buffer): void {
    if (header.type === 'x') {
      this.extensions.records = decodePax(payload);
    } else if (header.type === 'g') {
      refuseGlobal(decodePax(payload));
    } else {
      const nul = payload.indexOf(0);
      const text = payload.toString('latin1', 0, nul === -1 ? payload.length : nul);
      if (header.type === 'L') this.extensions.longName = text;
      else this.extensions.longLink = text;
    }
    this.pad(payload.length);
  }

  private startEntry(header: TarHeader): void {
    const type = entryType(header);
    // A size on anything but a file is ignored, as other readers do.
    const stored = type === 'file' ? this.extensions.storedSize(header) : 0;
    if (header.type === 'S') {
      const realSize = tarNumber(this.block, 483, 12, 'real size');
      const runs = oldGnuRuns(this.block, 386, 4);
      const sized = { ...header, size: stored };
      if (this.block[482] !== 0) this.state = { kind: 'sparse-block', header: sized, runs, realSize };
      else this.emit(sized, stored, { runs: checkRuns(runs, realSize, stored), realSize });
      return;
    }
    const sparse = type === 'file' ? paxSparse(this.extensions.records) : undefined;
    if (sparse === undefined) return this.emit(header, stored);
    if (sparse.kind === 'map') {
      return this.emit(header, stored, {
        runs: checkRuns(sparse.runs, sparse.realSize, stored),
        realSize: sparse.realSize,
      });
    }
    const map = new LeadingMap();
    this.state = { kind: 'leading-map', header, map, realSize: sparse.realSize, stored, read: 0, done: false };
    if (stored === 0) throw corrupt('tar has a sparse file without its map');
  }

  private takeSparseBlock(state: State & { kind: 'sparse-block' }): void {
    for (const run of oldGnuRuns(this.block, 0, 21)) state.runs.push(run);
    if (state.runs.length > 1_000_000) throw corrupt('tar has a sparse file with more than a million runs');
    if (this.block[504] !== 0) return;
    const { header, runs, realSize } = state;
    this.emit(header, header.size, { runs: checkRuns(runs, realSize, header.size), realSize });
  }

  private readLeadingMap(chunk: Buffer, at: number, state: State & { kind: 'leading-map' }): number {
    let end = at;
    while (end < chunk.length) {
      const byte = chunk[end++] as number;
      state.read++;
      if (!state.done) state.done = state.map.push(byte);
      const whole = state.read % TAR_BLOCK === 0;
      if (!(state.done && whole) && state.read >= state.stored) throw corrupt('tar has a sparse file with a cut map');
      if (!state.done || !whole) continue;
      this.sink.frame(chunk.subarray(at, end));
      const left = state.stored - state.read;
      const runs = checkRuns(state.map.runs, state.realSize, left);
      this.emit(state.header, left, { runs, realSize: state.realSize });
      return end;
    }
    this.sink.frame(chunk.subarray(at, end));
    return end;
  }

  private emit(header: TarHeader, stored: number, sparse?: { runs: SparseRun[]; realSize: number }): void {
    const entry = this.extensions.apply(header, stored, sparse);
    this.extensions = new EntryExtensions();
    this.sink.entry(entry);
    if (stored === 0) {
      this.sink.entryEnd();
      this.state = { kind: 'header' };
      return;
    }
    this.state = { kind: 'data', left: stored, padding: stored };
  }

  private finishData(size: number): void {
    this.sink.entryEnd();
    this.pad(size);
  }

  private pad(size: number): void {
    const left = (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
    this.state = left === 0 ? { kind: 'header' } : { kind: 'padding', left };
  }
}

function refuseGlobal(records: readonly PaxRecord[]): void {
  const record = records.find(({ key }) => !HARMLESS_GLOBAL.test(key));
  if (record !== undefined) {
    throw corrupt(`tar has a global PAX header with "${record.key}", which is not supported`);
  }
}
