/** One step of a pattern: a character, any one, or any number of any. */
type GlobItem =
  { readonly kind: 'character'; readonly character: string } | { readonly kind: 'any' } | { readonly kind: 'many' };

export interface GlobSearch {
  /** Whether a match begins at the text's first character. */
  readonly anchored: boolean;
  /** Whether the longest match is meant, or else the shortest. */
  readonly longest: boolean;
}

export interface GlobMatch {
  readonly begin: number;
  readonly end: number;
}

/** Reads `*` and `?` as a shell's pattern has them; a backslash takes the meaning of what follows it away. */
export function globItems(pattern: string): GlobItem[] {
  return [...pattern.matchAll(/\\?[\s\S]|\\/g)].map(([text]): GlobItem => {
    if (text === '*') return { kind: 'many' };
    return text === '?' ? { kind: 'any' } : { kind: 'character', character: text.slice(-1) };
  });
}

/**
 * Finds the leftmost match. Takes time in proportion to the lengths of both, whatever they hold: all ways through the pattern
 * are followed at once.
 */
export function findGlob(
  items: readonly GlobItem[],
  text: string,
  { anchored, longest }: GlobSearch,
): GlobMatch | undefined {
  // For each step of the pattern that may come next, where its way began.
  let ways = items.map(() => Infinity).concat(Infinity);
  let found: GlobMatch | undefined;
  for (let at = 0; at <= text.length; at++) {
    if (found === undefined && (at === 0 || !anchored)) ways[0] = Math.min(ways[0] ?? Infinity, at);
    items.forEach((item, step) => {
      if (item.kind === 'many') ways[step + 1] = Math.min(ways[step + 1] ?? Infinity, ways[step] ?? Infinity);
    });
    const begin = ways[items.length] ?? Infinity;
    if (begin <= (found?.begin ?? Number.MAX_SAFE_INTEGER)) {
      found = { begin, end: at };
      if (!longest) return found;
    }
    const character = text.charAt(at);
    const next = items.map(() => Infinity).concat(Infinity);
    items.forEach((item, step) => {
      const way = ways[step] ?? Infinity;
      if (item.kind === 'many') next[step] = Math.min(next[step] ?? Infinity, way);
      else if (item.kind === 'any' || item.character === character) next[step + 1] = way;
    });
    ways = next;
  }
  return found;
}
