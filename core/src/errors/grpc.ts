import { asBoxError, isErrorCode } from './as-box-error.js';
import { BoxError } from './box-error.js';
import { ERROR_TABLE, type ErrorCode } from './error-table.js';

/** Trailer with the stable code. */
export const CODE_TRAILER = 'a3s-box-code';
/** Trailer with hint and details, UTF-8 JSON. */
export const ERROR_TRAILER = 'a3s-box-error-bin';

/** Trailers travel in one header block, and peers take 16 KiB of it or less; this leaves room for the message. */
const MAX_TRAILER_BYTES = 6 * 1024;
const MAX_MESSAGE_LENGTH = 1024;

/** The part of grpc-js's `Metadata` that is needed here. */
export interface Trailers {
  set(key: string, value: string | Buffer): void;
  get(key: string): readonly (string | Buffer)[];
}

/** A gRPC status, as a server sends it and as a client sees it (grpc-js `StatusObject`, `ServiceError`). */
export interface GrpcStatus<M extends Trailers> {
  readonly code: number;
  readonly details: string;
  readonly metadata: M;
}

/**
 * The status that a server ends a call with.
 *
 * @param trailers empty metadata, which is filled and becomes part of the status. Details that would not fit are cut
 * to the end of each string, then left out; `detailsTruncated` says so.
 */
export function toServiceError<M extends Trailers>(thrown: unknown, trailers: M): GrpcStatus<M> {
  const error = asBoxError(thrown);
  trailers.set(CODE_TRAILER, error.code);
  const extra = encodeExtra(error);
  if (extra !== undefined) trailers.set(ERROR_TRAILER, extra);
  return {
    code: ERROR_TABLE[error.code].grpc,
    details: headOf(error.message, MAX_MESSAGE_LENGTH),
    metadata: trailers,
  };
}

export interface PeerOptions {
  /** Code of a peer that cannot be reached or went away (gRPC `UNAVAILABLE`). Default: `AGENT_UNREACHABLE`. */
  readonly unavailable?: ErrorCode | undefined;
}

/**
 * The error that a peer's status stands for. The peer is not trusted: trailers that make no sense are not used, and
 * `details.malformedTrailer` says so. A code that this version does not know becomes that of its gRPC status, with the
 * peer's own in `details.remoteCode`.
 */
export function fromServiceError(status: Partial<GrpcStatus<Trailers>>, options: PeerOptions = {}): BoxError {
  const remoteCode = status.metadata?.get(CODE_TRAILER)[0];
  const { hint, details } = decodeExtra(status.metadata?.get(ERROR_TRAILER)[0]);
  const known = isErrorCode(remoteCode);
  const shown = remoteCode === undefined || known ? details : { ...details, remoteCode: String(remoteCode) };
  const code = known ? remoteCode : codeOfStatus(status.code, options);
  const said = status.details || 'the call failed';
  // gRPC's own words do not say who.
  return new BoxError(code, !known && code === 'AGENT_UNREACHABLE' ? `the guest went away: ${said}` : said, {
    ...(hint === undefined ? {} : { hint }),
    ...(shown === undefined ? {} : { details: shown }),
    cause: status,
  });
}

function codeOfStatus(grpc: number | undefined, { unavailable = 'AGENT_UNREACHABLE' }: PeerOptions): ErrorCode {
  if (grpc === ERROR_TABLE[unavailable].grpc) return unavailable;
  // The general codes come first in the table, so that one of them is found before a special one of the same status.
  const entry = Object.entries(ERROR_TABLE).find(([, row]) => row.grpc === grpc);
  return entry !== undefined && isErrorCode(entry[0]) ? entry[0] : 'INTERNAL';
}

function encodeExtra({ hint, details }: BoxError): Buffer | undefined {
  if (hint === undefined && details === undefined) return undefined;
  const whole = Buffer.from(JSON.stringify({ hint, details }, plainJson));
  if (whole.length <= MAX_TRAILER_BYTES) return whole;
  const shortHint = hint === undefined ? undefined : headOf(hint, MAX_MESSAGE_LENGTH);
  const short = Buffer.from(
    JSON.stringify({ hint: shortHint, details: { ...details, detailsTruncated: true } }, (key, value) =>
      typeof value === 'string' ? tailOf(value, MAX_MESSAGE_LENGTH) : plainJson(key, value),
    ),
  );
  if (short.length <= MAX_TRAILER_BYTES) return short;
  return Buffer.from(JSON.stringify({ hint: shortHint, details: { detailsTruncated: true } }));
}

function decodeExtra(trailer: string | Buffer | undefined): Pick<BoxError, 'hint' | 'details'> {
  if (trailer === undefined) return {};
  try {
    const { hint, details } = asRecord(JSON.parse(trailer.toString()));
    if (hint !== undefined && typeof hint !== 'string') return { details: { malformedTrailer: true } };
    return {
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details: asRecord(details) }),
    };
  } catch {
    return { details: { malformedTrailer: true } };
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new BoxError('INVALID_ARGUMENT', 'error trailer: an object was expected');
}

function plainJson(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function headOf(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}

function tailOf(text: string, length: number): string {
  return text.length <= length ? text : `...${text.slice(-length)}`;
}
