/**
 * Values as Go's text/template sees them: arrays are slices, `Map`s are maps, other objects are structs, functions are
 * methods; `null` is nil, and `undefined` what a map does not hold.
 */

/** What counts as true: what is not empty. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return Boolean(value);
}

/** As `%v` prints it. */
export function printed(value: unknown): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(printed).join(' ')}]`;
  if (value instanceof Map)
    return `map[${sortedEntries(value)
      .map(([key, item]) => `${key}:${printed(item)}`)
      .join(' ')}]`;
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return String(value as number | bigint | boolean);
  return `{${Object.values(value)
    .filter((item) => typeof item !== 'function')
    .map(printed)
    .join(' ')}}`;
}

/** In the order of their keys, as Go goes through maps in templates. */
export function sortedEntries(map: ReadonlyMap<unknown, unknown>): [string, unknown][] {
  const entries = [...map].map(([key, value]): [string, unknown] => [String(key), value]);
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** @param indent blanks a level; 0: one line */
export function jsonOf(value: unknown, indent = 0): string {
  const plain = (_key: string, item: unknown) => {
    if (item instanceof Map) return Object.fromEntries(sortedEntries(item));
    return typeof item === 'bigint' ? Number(item) : item;
  };
  return JSON.stringify(value ?? null, plain, indent);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** In double quotes, with what cannot be printed escaped: strconv.Quote. */
export function quoted(text: string): string {
  const escaped = text.replaceAll(/["\\]|[^\P{C}]|[\p{Z}--[ ]]/gv, (char) => {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) return ESCAPES[char] ?? `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `"${escaped}"`;
}
