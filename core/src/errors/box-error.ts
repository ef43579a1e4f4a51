import { ERROR_TABLE, type ErrorCode } from './error-table.js';

const BRAND = Symbol.for('a3s-box.error.v1');

export interface BoxErrorOptions {
  /** The next thing to do, for example a command to try. */
  readonly hint?: string;
  /** Plain JSON for programs. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The one error of this project. `message` is lower case and names the subject and what happened to it.
 */
export class BoxError extends Error {
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: BoxErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BoxError';
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.details !== undefined) this.details = options.details;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Exit status that the CLI ends with for this error. */
  get exitStatus(): number {
    return ERROR_TABLE[this.code].exitStatus;
  }
}

/** Whether a value is a {@link BoxError}, of this copy of the package or another. */
export function isBoxError(value: unknown): value is BoxError {
  return typeof value === 'object' && value !== null && BRAND in value;
}
