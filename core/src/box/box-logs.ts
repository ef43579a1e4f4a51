import { inject, injectable } from '../kernel/container.js';
import { readLogBlocks, type ReadLogOptions } from '../logs/log-reader.js';
import type { LogRecord } from '../logs/log-record.js';
import { LogWriter } from '../logs/log-writer.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';
import type { Box } from './box.js';

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

  /** Opens the log of a box that starts or is taken over; {@link end} closes it. */
  async open(box: Box): Promise<LogWriter> {
    const writer = await LogWriter.open(this.home.boxLog(box.id));
    this.#writers.set(box.id, writer);
    return writer;
  }

  /** Nothing will be written any more: whoever follows comes to the end. Idempotent. */
  async end(box: Box): Promise<void> {
    const writer = this.#writers.get(box.id);
    this.#writers.delete(box.id);
    await writer?.close();
  }

  /** Records in their order, many at a time. */
  read(box: Box, { follow, ...options }: ReadOptions): AsyncIterable<readonly LogRecord[]> {
    const writer = follow ? this.#writers.get(box.id) : undefined;
    const live = writer ? { follow: writer } : {};
    return readLogBlocks(this.home.boxLog(box.id), { ...options, ...live, logger: this.logger });
  }
}
