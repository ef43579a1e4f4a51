import { pino, type Logger as Pino } from 'pino';
import type { LogFields, Logger } from '../ports/logger.js';
import { redact } from './redaction.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface PinoLoggerOptions {
  readonly level: LogLevel;
  /** Absolute path of a file that is appended to (made with mode 0600), or an open descriptor, which stays open. */
  readonly destination: { readonly file: string } | { readonly descriptor: number };
}

/**
 * A logger that writes one JSON object a line, at once: what was logged is there after a crash. Its maker closes it;
 * children write through it. What the disk has no room for is lost.
 */
export class PinoLogger implements Logger {
  readonly #pino: Pino;

  private constructor(instance: Pino) {
    this.#pino = instance;
  }

  /** @throws Error when the file cannot be opened */
  static open({ level, destination }: PinoLoggerOptions): PinoLogger & Disposable {
    const dest = 'file' in destination ? destination.file : destination.descriptor;
    const stream = pino.destination({ dest, sync: true, append: true, mode: 0o600 });
    // What cannot be logged (the disk is full) must not end the process, and there is nowhere to say so.
    stream.on('error', () => undefined);
    const logger = new PinoLogger(
      pino(
        { level, timestamp: pino.stdTimeFunctions.isoTime, base: { pid: process.pid }, serializers: { err: asIs } },
        stream,
      ),
    );
    return Object.assign(logger, {
      [Symbol.dispose]: () => ('file' in destination ? stream.end() : stream.flushSync()),
    });
  }

  debug(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('debug')) this.#pino.debug(redact(fields), message);
  }

  info(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('info')) this.#pino.info(redact(fields), message);
  }

  warn(fields: LogFields, message: string): void {
    if (this.#pino.isLevelEnabled('warn')) this.#pino.warn(redact(fields), message);
  }

  error(fields: LogFields, message: string): void {
    this.#pino.error(redact(fields), message);
  }

  child(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(redact(fields)));
  }
}

/** Errors are plain by then; pino's own serializer would take them apart again. */
function asIs(value: unknown): unknown {
  return value;
}
