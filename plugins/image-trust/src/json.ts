import { fault } from './fault.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Documents of signatures end here; attestations carry lists of packages, so it is wide. */
export const MAX_DOCUMENT = 32 * 2 ** 20;
const MAX_DEPTH = 64;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws SIGNATURE_MALFORMED when these bytes are no JSON object in UTF-8, or one that is too large or too deep */
export function parseObject(bytes: Uint8Array, what: string): JsonObject {
  if (bytes.length > MAX_DOCUMENT) throw fault('SIGNATURE_MALFORMED', `${what} is larger than ${MAX_DOCUMENT} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw fault('SIGNATURE_MALFORMED', `${what} is no JSON`, error);
  }
  if (!isObject(value)) throw fault('SIGNATURE_MALFORMED', `${what} is no JSON object`);
  checkDepth(value, what);
  return value;
}

function checkDepth(value: unknown, what: string): void {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw fault('SIGNATURE_MALFORMED', `${what} is nested too deeply`);
    level = level.flatMap((it) => (typeof it === 'object' && it !== null ? Object.values(it) : []));
  }
}

/** The bytes of base64 in its one way of writing. @throws SIGNATURE_MALFORMED */
export function fromBase64(text: unknown, what: string): Buffer {
  if (typeof text === 'string') {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.toString('base64') === text) return bytes;
  }
  throw fault('SIGNATURE_MALFORMED', `${what} is no base64`);
}
