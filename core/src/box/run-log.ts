import type { OutputOffsets } from '../gen/a3s/box/agent/v1/agent.js';
import type { LogChunk, StreamOffsets } from '../logs/log-record.js';
import type { LogWriter } from '../logs/log-writer.js';
import type { RunRecord } from '../state/box-table.js';

type LogBase = NonNullable<RunRecord['logBase']>;

/** One run's part of its box's log. A guest counts what a run wrote from 0; the log goes on from run to run. */
export class RunLog {
  readonly #base: StreamOffsets;

  /** @param base where the run's output begins; absent: at the log's end */
  constructor(
    readonly writer: LogWriter,
    base?: LogBase,
  ) {
    this.#base = base ? { stdout: BigInt(base.stdout), stderr: BigInt(base.stderr) } : { ...writer.resume };
  }

  /** To be kept with the run. */
  get base(): LogBase {
    return { stdout: String(this.#base.stdout), stderr: String(this.#base.stderr) };
  }

  /** Up to where the log has this run's output. */
  get resume(): OutputOffsets {
    const { stdout, stderr } = this.writer.resume;
    return { stdout: stdout - this.#base.stdout, stderr: stderr - this.#base.stderr };
  }

  /** As the writer's. */
  append(chunk: LogChunk): Promise<void> {
    return this.writer.append({ ...chunk, offset: chunk.offset + this.#base[chunk.stream] });
  }
}
