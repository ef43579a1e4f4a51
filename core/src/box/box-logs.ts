import { inject, injectable } from '../kernel/container.js';
import { readLogBlocks, type ReadLogOptions } from '../logs/log-reader.js';
import type { LogRecord } from '../logs/log-record.js';
import type { LogLimits } from '../logs/log-record.js';
import { LogWriter } from '../logs/log-writer.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import type { RunRecord } from '../state/box-table.js';
import { HomeLayout } from '../store/home-layout.js';
import { BoxError } from '../errors/box-error.js';
import type { Box } from './box.js';
import { logLimitsOf } from './log-config.js';
import { RunLog } from './run-log.js';

export interface ReadOptions extends Pick<ReadLogOptions, 'tail' | 'sinceNs' | 'untilNs' | 'signal'> {
  /** Go on until the box ends. */
  readonly follow: boolean;
}

/** What the main processes of boxes wrote, and the writers of those that run. */
@injectable()
export class BoxLogs {
  readonly #writers = new Map<string, LogWriter>();

  constructor(
    private readonly home: HomeLayout,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /**
   * Opens the log of a box that starts or is taken over; {@link end} closes it.
   * @param run of one that is taken over @returns undefined for a box that keeps none
   */
  async open(box: Box, run?: RunRecord): Promise<RunLog | undefined> {
    const limits: LogLimits | undefined = logLimitsOf(box.spec.log);
    if (!limits) return undefined;
    const writer = await LogWriter.open(this.home.boxLog(box.id), limits);
    this.#writers.set(box.id, writer);
    return new RunLog(writer, run && (run.logBase ?? { stdout: '0', stderr: '0' }));
  }

  /** Directory of a box's log; empty for one that keeps none. */
  pathOf(box: Box): string {
    return logLimitsOf(box.spec.log) ? this.home.boxLog(box.id) : '';
  }

  /** Nothing will be written any more: whoever follows comes to the end. Idempotent. */
  async end(box: Box): Promise<void> {
    const writer = this.#writers.get(box.id);
    this.#writers.delete(box.id);
    await writer?.close();
  }

  /** Records in their order, many at a time. @throws UNSUPPORTED for a box that keeps none */
  read(box: Box, { follow, ...options }: ReadOptions): AsyncIterable<readonly LogRecord[]> {
    if (!logLimitsOf(box.spec.log)) {
      throw new BoxError('UNSUPPORTED', `box "${box.name}" keeps no log: its log driver is "none"`, {
        hint: "join what it writes with 'a3s-box attach'",
      });
    }
    const writer = follow ? this.#writers.get(box.id) : undefined;
    const live = writer ? { follow: writer } : {};
    return readLogBlocks(this.home.boxLog(box.id), { ...options, ...live, logger: this.logger });
  }
}
