import { BoxError } from '../errors/box-error.js';
import { DEFAULT_LOG_LIMITS, MIN_FILE_BYTES, type LogLimits } from '../logs/log-record.js';

/** How a box keeps what its main process writes. */
export interface LogConfig {
  /** `json-file`, or `none`. */
  readonly driver: string;
  /** As they were given: `max-size`, `max-file`, `labels`, `env`. */
  readonly options: Readonly<Record<string, string>>;
}

export const DEFAULT_LOG_DRIVER = 'json-file';
const OPTIONS = ['max-size', 'max-file', 'labels', 'env'];
/** Docker's, which are powers of 1000 here. */
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/**
 * The limits of a box's log.
 * @param config absent: the default
 * @returns undefined for a box that keeps none
 * @throws INVALID_ARGUMENT, UNSUPPORTED for what cannot be kept
 */
export function logLimitsOf(config: LogConfig | undefined): LogLimits | undefined {
  const { driver, options } = config ?? { driver: DEFAULT_LOG_DRIVER, options: {} };
  if (driver !== 'none' && driver !== DEFAULT_LOG_DRIVER) {
    throw new BoxError('UNSUPPORTED', `log driver "${driver}" is not supported`, { hint: 'there are json-file, none' });
  }
  for (const name of Object.keys(options)) {
    if (driver === 'none' || !OPTIONS.includes(name)) {
      throw new BoxError('UNSUPPORTED', `log option "${name}" is not supported by log driver "${driver}"`, {
        hint: driver === 'none' ? 'it takes none' : `there are ${OPTIONS.join(', ')}`,
      });
    }
  }
  if (driver === 'none') return undefined;
  const size = options['max-size'];
  const count = options['max-file'];
  // As in Docker: a size alone keeps one file.
  const files = size === undefined ? DEFAULT_LOG_LIMITS.maxFiles : 1;
  return {
    maxFileBytes: size === undefined ? DEFAULT_LOG_LIMITS.maxFileBytes : sizeOf(size),
    maxFiles: count === undefined ? files : countOf(count),
  };
}

function sizeOf(value: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([kmg]?)b?$/i.exec(value) ?? [];
  const bytes = Math.trunc(Number(number) * (UNITS[unit.toLowerCase()] ?? NaN));
  if (number !== '' && Number.isSafeInteger(bytes) && bytes >= MIN_FILE_BYTES) return bytes;
  throw new BoxError('INVALID_ARGUMENT', `log option max-size="${value}" is not valid`, {
    hint: `give a size of at least ${MIN_FILE_BYTES} bytes, such as 10m`,
  });
}

function countOf(value: string): number {
  if (/^[1-9]\d{0,4}$/.test(value)) return Number(value);
  throw new BoxError('INVALID_ARGUMENT', `log option max-file="${value}" is not valid`, {
    hint: 'give a number of files, at least 1',
  });
}
