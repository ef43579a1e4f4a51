import { pathPattern, PatternFault, type PathTest } from './path-pattern.js';

/** What a file like `.dockerignore` says, line by line. */
export interface IgnoreRule {
  readonly test: PathTest;
  /** Whether it takes back what earlier lines say. */
  readonly negated: boolean;
}

export interface IgnoreFault {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Reads a `.dockerignore`. @returns the rules, or what is wrong with it */
export function readIgnoreFile(text: string): IgnoreRule[] | IgnoreFault[] {
  const rules: IgnoreRule[] = [];
  const faults: IgnoreFault[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    if (line.startsWith('#')) continue;
    const trimmed = line.trim();
    if (trimmed === '') continue;
    const negated = trimmed.startsWith('!');
    const pattern = negated ? trimmed.slice(1).trim() : trimmed;
    try {
      if (pattern === '') throw new PatternFault('"!" is not followed by a pattern');
      rules.push({ negated, test: pathPattern(cleaned(pattern), { trees: true }) });
    } catch (error) {
      if (!(error instanceof PatternFault)) throw error;
      faults.push({ line: index + 1, column: line.indexOf(trimmed) + 1, message: error.message });
    }
  }
  return faults.length > 0 ? faults : rules;
}

/** Patterns begin at the context's root, with a slash or without, and lead nowhere above it. */
function cleaned(pattern: string): string {
  const parts: string[] = [];
  for (const part of pattern.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/**
 * Whether a path of the context is left out: the last rule that speaks of it, or of a directory that it is in, decides.
 * @param path relative, with slashes
 */
export function isIgnored(rules: readonly IgnoreRule[], path: string): boolean {
  const parts = path.split('/');
  const prefixes = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  const rule = rules.findLast(({ test }) => prefixes.some(test));
  return rule !== undefined && !rule.negated;
}
