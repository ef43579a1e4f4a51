/** Characters of one place in a path, by a test of one. */
type CharacterTest = (character: string) => boolean;

/** A step of a pattern: one character, any number of them, or any number of whole directories, each with its slash. */
type Step =
  | { readonly kind: 'one'; readonly test: CharacterTest }
  | { readonly kind: 'many'; readonly test: CharacterTest }
  | { readonly kind: 'directories' };

/** A pattern that is none: it says why. */
export class PatternFault extends Error {}

/** Whether a path as a whole fits; parts are separated by slashes, none at the begin or end. */
export type PathTest = (path: string) => boolean;

const NO_SLASH: CharacterTest = (character) => character !== '/';
const ANY: CharacterTest = () => true;

/**
 * Reads a pattern of Go's `filepath.Match` (`*`, `?`, `[a-z]`, `[^a]`, `\x`), and with `trees` also `**`, which goes over
 * directories, as the files that say what to ignore have it. Matching takes time in proportion to both lengths.
 * @throws PatternFault
 */
export function pathPattern(pattern: string, { trees }: { trees: boolean }): PathTest {
  const steps: Step[] = [];
  for (let at = 0; at < pattern.length;) {
    const character = pattern.charAt(at);
    if (character === '*' && trees && pattern.charAt(at + 1) === '*') {
      at += 2;
      if (pattern.charAt(at) === '/') at++;
      steps.push(at < pattern.length ? { kind: 'directories' } : { kind: 'many', test: ANY });
    } else if (character === '[') {
      const { test, end } = characterClass(pattern, at);
      steps.push({ kind: 'one', test });
      at = end;
    } else {
      const escaped = character === '\\';
      if (escaped && at + 1 === pattern.length) throw new PatternFault('a backslash at the end escapes nothing');
      steps.push(escaped ? exactly(pattern.charAt(at + 1)) : plainStep(character));
      at += escaped ? 2 : 1;
    }
  }
  return (path) => matches(steps, path);
}

function plainStep(character: string): Step {
  if (character === '*') return { kind: 'many', test: NO_SLASH };
  return character === '?' ? { kind: 'one', test: NO_SLASH } : exactly(character);
}

function exactly(expected: string): Step {
  return { kind: 'one', test: (character) => character === expected };
}

function characterClass(pattern: string, begin: number): { test: CharacterTest; end: number } {
  let at = begin + 1;
  const negated = pattern.charAt(at) === '^';
  if (negated) at++;
  const ranges: (readonly [string, string])[] = [];
  const next = (): string => {
    if (pattern.charAt(at) === '\\') at++;
    if (at >= pattern.length) throw new PatternFault('"[" is not closed');
    return pattern.charAt(at++);
  };
  while (pattern.charAt(at) !== ']' || ranges.length === 0) {
    if (pattern.charAt(at) === ']') throw new PatternFault('"[]" is empty');
    const low = next();
    if (pattern.charAt(at) !== '-') ranges.push([low, low]);
    else {
      at++;
      ranges.push([low, next()]);
    }
  }
  const test: CharacterTest = (character) =>
    character !== '/' && ranges.some(([low, high]) => low <= character && character <= high) !== negated;
  return { test, end: at + 1 };
}

/** Follows all ways through the steps at once. Way `i` of a set: the steps before `i` are done. */
function matches(steps: readonly Step[], path: string): boolean {
  let ways = withSkips(new Set([0]), steps);
  // Ways that are within a directory that is gone over.
  let within = new Set<number>();
  for (const character of path.split('')) {
    const next = new Set<number>();
    const nextWithin = new Set<number>();
    for (const way of [...ways, ...within]) {
      const step = steps[way];
      if (step === undefined) continue;
      if (step.kind === 'directories') {
        nextWithin.add(way);
        if (character === '/') next.add(way + 1);
      } else if (step.test(character)) next.add(step.kind === 'one' ? way + 1 : way);
    }
    ways = withSkips(next, steps);
    within = nextWithin;
    if (ways.size === 0 && within.size === 0) return false;
  }
  return ways.has(steps.length);
}

/** What may be left out is left out as well. */
function withSkips(ways: Set<number>, steps: readonly Step[]): Set<number> {
  // A set's loop also goes over what is added meanwhile.
  for (const way of ways) {
    const kind = steps[way]?.kind;
    if (kind === 'many' || kind === 'directories') ways.add(way + 1);
  }
  return ways;
}
