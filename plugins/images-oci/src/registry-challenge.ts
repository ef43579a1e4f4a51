/** What a registry wants before it answers (RFC 9110, "WWW-Authenticate"). */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const VALUE = /"((?:[^"\\]|\\.)*)"|([^\s,"]+)/y;
const MOST = 16;

/** Reads the challenges of a header, in their order. What is none is passed over. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  while (at < header.length && challenges.length < MOST) {
    take(/[\s,]+/y);
    const word = take(TOKEN)?.[0];
    if (word === undefined) {
      at++;
      continue;
    }
    const current = challenges.at(-1);
    if (take(/\s*=\s*/y) === null || current === undefined) {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
      continue;
    }
    const value = take(VALUE);
    if (value !== null)
      current.parameters.set(word.toLowerCase(), value[1]?.replace(/\\(.)/gs, '$1') ?? value[2] ?? '');
  }
  return challenges;
}
