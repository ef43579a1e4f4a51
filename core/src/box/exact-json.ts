/** JSON whose integers keep all of their 64 bits: those that a double cannot hold are BigInts. */

interface Source {
  readonly source?: string;
}

/** ECMAScript's proposal-json-parse-with-source, which the compiler's library does not declare yet. */
const json = JSON as unknown as {
  parse(text: string, reviver: (name: string, value: unknown, context: Source) => unknown): unknown;
  rawJSON(text: string): unknown;
};

/** @throws SyntaxError */
export function parseExact(text: string): unknown {
  return json.parse(text, (_name, value, { source = '' }) =>
    typeof value === 'number' && /^-?\d+$/.test(source) && !Number.isSafeInteger(value) ? BigInt(source) : value,
  );
}

export function encodeExact(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'bigint' ? json.rawJSON(String(part)) : part,
  );
}
