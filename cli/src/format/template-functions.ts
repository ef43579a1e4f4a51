/** The functions of templates: those of Go's text/template and of Docker that are supported. */
import { isTrue, jsonOf, printed, quoted } from './go-values.js';
import { templateFailure } from './template-failure.js';

export type TemplateFunction = (...args: unknown[]) => unknown;

/** `and` and `or` are here for their names; the evaluator reads only as many of their arguments as it has to. */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['and', (...args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1)],
  ['or', (...args) => args.find(isTrue) ?? args.at(-1)],
  ['not', (value) => !isTrue(value)],
  ['eq', (first, ...others) => others.some((other) => isEqual(first, other))],
  ['ne', (a, b) => !isEqual(a, b)],
  ['lt', (a, b) => compared(a, b) < 0],
  ['le', (a, b) => compared(a, b) <= 0],
  ['gt', (a, b) => compared(a, b) > 0],
  ['ge', (a, b) => compared(a, b) >= 0],
  ['len', length],
  ['index', (value, ...keys) => keys.reduce(item, value)],
  ['print', (...args) => args.map((arg, i) => (i > 0 && isApart(arg, args[i - 1]) ? ' ' : '') + printed(arg)).join('')],
  ['println', (...args) => `${args.map(printed).join(' ')}\n`],
  ['printf', (format, ...args) => formatted(text(format, 'printf'), args)],
  ['json', (value) => jsonOf(value)],
  ['split', (value, separator) => text(value, 'split').split(text(separator, 'split'))],
  ['join', (values, separator) => list(values, 'join').map(printed).join(text(separator, 'join'))],
  ['title', (value) => text(value, 'title').replaceAll(/(?<![\p{L}\p{Nd}_'])\p{L}/gu, (char) => char.toUpperCase())],
  ['lower', (value) => text(value, 'lower').toLowerCase()],
  ['upper', (value) => text(value, 'upper').toUpperCase()],
  ['pad', (value, before, after) => ' '.repeat(count(before)) + text(value, 'pad') + ' '.repeat(count(after))],
  ['truncate', (value, most) => Array.from(text(value, 'truncate')).slice(0, count(most)).join('')],
]);

/** These take more arguments than they name. */
const VARIADIC: readonly string[] = ['eq', 'index', 'print', 'println', 'printf'];

/** @param overrides functions in the place of those of the same name */
export function callFunction(
  name: string,
  args: readonly unknown[],
  overrides: ReadonlyMap<string, TemplateFunction>,
): unknown {
  const own = FUNCTIONS.get(name);
  const least = name === 'eq' ? 2 : (own?.length ?? 0);
  if (own === undefined || args.length < least || (args.length > least && !VARIADIC.includes(name))) {
    throw templateFailure(`wrong number of arguments for ${name}: ${args.length}`);
  }
  return (overrides.get(name) ?? own)(...args);
}

/** For the head of a table: functions leave the words as they are. */
export const HEADER_FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>(
  ['json', 'split', 'join', 'title', 'lower', 'upper', 'truncate'].map((name) => [name, (value) => value]),
);

function isEqual(a: unknown, b: unknown): boolean {
  const [left, right] = [a ?? null, b ?? null];
  if (left === null || right === null || typeof left === typeof right) return left === right;
  if (isNumber(left) && isNumber(right)) return Number(left) === Number(right);
  throw templateFailure(`${printed(a)} and ${printed(b)} are of types that cannot be compared`);
}

function compared(a: unknown, b: unknown): number {
  if (isNumber(a) && isNumber(b)) return Number(a) - Number(b);
  if (typeof a !== 'string' || typeof b !== 'string') {
    throw templateFailure(`${printed(a)} and ${printed(b)} are of types that cannot be compared`);
  }
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** fmt.Sprint parts operands neither of which is text. */
function isApart(a: unknown, b: unknown): boolean {
  return typeof a !== 'string' && typeof b !== 'string';
}

function length(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (value instanceof Map) return value.size;
  return list(value, 'len').length;
}

function item(value: unknown, key: unknown): unknown {
  if (value instanceof Map) {
    const found: unknown = value.get(key);
    // The zero value of a map's elements; of text it is the empty one.
    return found ?? ([...value.values()].every((one) => typeof one === 'string') ? '' : undefined);
  }
  const items = list(value, 'index');
  if (!Number.isInteger(key) || Number(key) < 0 || Number(key) >= items.length) {
    throw templateFailure(`index ${printed(key)} is out of range: there are ${items.length}`);
  }
  return items[Number(key)];
}

function list(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw templateFailure(`${name} of ${printed(value)}, which is no list`);
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw templateFailure(`${name} of ${printed(value)}, which is no text`);
}

function count(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw templateFailure(`${printed(value)} is no number of characters`);
}

const VERB = /%(?<flags>[-0+]*)(?<width>\d*)(?:\.(?<precision>\d*))?(?<verb>.|$)/gsu;

function formatted(format: string, args: readonly unknown[]): string {
  let used = 0;
  const result = format.replaceAll(VERB, (whole, ...rest) => {
    const { flags = '', width = '', precision, verb = '' } = rest.at(-1) as Record<string, string | undefined>;
    if (verb === '%') return '%';
    if (used >= args.length) throw templateFailure(`printf: no argument for ${whole}`);
    const value = verbs(whole, verb, args[used++], precision === undefined ? undefined : Number(precision));
    if (flags.includes('-')) return value.padEnd(Number(width));
    return value.padStart(Number(width), flags.includes('0') ? '0' : ' ');
  });
  if (used < args.length) throw templateFailure(`printf: ${args.length - used} arguments too many`);
  return result;
}

function verbs(whole: string, verb: string, value: unknown, precision: number | undefined): string {
  const cut = (one: string) => (precision === undefined ? one : Array.from(one).slice(0, precision).join(''));
  if (verb === 'v') return printed(value);
  if (verb === 's') return cut(printed(value));
  if (verb === 'q' && typeof value === 'string') return quoted(cut(value));
  if (verb === 't' && typeof value === 'boolean') return String(value);
  if (verb === 'd' && isNumber(value)) return String(value);
  if (verb === 'x' && isNumber(value)) return value.toString(16);
  if (verb === 'f' && isNumber(value)) return Number(value).toFixed(precision ?? 6);
  throw templateFailure(`printf: ${whole} is not supported for ${printed(value)}`);
}
