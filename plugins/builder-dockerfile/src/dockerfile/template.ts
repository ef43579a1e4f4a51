import { findGlob, globItems } from './glob.js';

/**
 * Words with variables, as an instruction has them: read once, put together for each environment. The grammar is that of
 * BuildKit's "Environment replacement": quotes, the escape character, `$NAME`, and `${NAME}` with the shell's
 * modifiers `:-`, `-`, `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/` and `//`.
 */
export interface Template {
  readonly parts: readonly TemplatePart[];
}

export type TemplatePart = string | VariablePart;

export interface VariablePart {
  readonly name: string;
  readonly modifier?: Modifier;
}

export interface Modifier {
  readonly operator: ':-' | '-' | ':+' | '+' | ':?' | '?' | '#' | '##' | '%' | '%%' | '/' | '//';
  readonly operand: Template;
  /** What stands behind the second `/`. */
  readonly replacement?: Template;
}

/** A value of a variable; undefined: it is not set. */
export type Lookup = (name: string) => string | undefined;

/** A variable that the description demands is missing. */
export class DemandedVariable extends Error {}

/**
 * Puts a template together. What is not set is empty.
 * @throws DemandedVariable for `${NAME:?message}`
 */
export function expand({ parts }: Template, lookup: Lookup): string {
  return parts.map((part) => (typeof part === 'string' ? part : valueOf(part, lookup))).join('');
}

/** Names of all variables in a template, with repetitions. */
export function variablesOf({ parts }: Template): string[] {
  return parts.flatMap((part) => {
    if (typeof part === 'string') return [];
    const { operand, replacement } = part.modifier ?? {};
    return [part.name, ...[operand, replacement].flatMap((it) => (it === undefined ? [] : variablesOf(it)))];
  });
}

function valueOf({ name, modifier }: VariablePart, lookup: Lookup): string {
  const value = lookup(name);
  if (modifier === undefined) return value ?? '';
  const operand = (): string => expand(modifier.operand, lookup);
  // With a colon an empty one counts as not set.
  const isSet = modifier.operator.startsWith(':') ? Boolean(value) : value !== undefined;
  switch (modifier.operator) {
    case ':-':
    case '-':
      return isSet ? (value ?? '') : operand();
    case ':+':
    case '+':
      return isSet ? operand() : '';
    case ':?':
    case '?':
      if (isSet) return value ?? '';
      throw new DemandedVariable(`${name}: ${operand() || 'is not set'}`);
    case '#':
    case '##':
    case '%':
    case '%%':
      return withoutEnd(value ?? '', operand(), modifier.operator);
    case '/':
    case '//':
      return replaced(value ?? '', globItems(operand()), {
        by: modifier.replacement === undefined ? '' : expand(modifier.replacement, lookup),
        all: modifier.operator === '//',
      });
  }
}

function withoutEnd(value: string, pattern: string, operator: '#' | '##' | '%' | '%%'): string {
  const longest = operator.length === 2;
  const items = globItems(pattern);
  if (operator.startsWith('#')) return value.slice(findGlob(items, value, { anchored: true, longest })?.end ?? 0);
  const backwards = value.split('').reverse().join('');
  const match = findGlob(items.reverse(), backwards, { anchored: true, longest });
  return value.slice(0, value.length - (match?.end ?? 0));
}

function replaced(
  value: string,
  items: ReturnType<typeof globItems>,
  { by, all }: { by: string; all: boolean },
): string {
  let result = '';
  let rest = value;
  for (;;) {
    const match = findGlob(items, rest, { anchored: false, longest: true });
    // An empty match would go on for ever, and stands for nothing.
    if (match === undefined || match.end === match.begin) return result + rest;
    result += rest.slice(0, match.begin) + by;
    rest = rest.slice(match.end);
    if (!all) return result + rest;
  }
}
