import type { Slice } from './logical-line.js';

/** Splits at white space, heeding nothing else. */
export function splitAtBlanks(source: Slice): Slice[] {
  return [...source.text.matchAll(/\S+/g)].map((match) => ({ text: match[0], at: source.at + match.index }));
}

/**
 * Splits at white space that is neither quoted nor escaped. Quotes and escapes stay in the words. In single quotes nothing
 * escapes.
 */
export function splitWords(source: Slice, escape: string): Slice[] {
  const words: Slice[] = [];
  let begin: number | undefined;
  let quote: string | undefined;
  const { text } = source;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (quote === undefined && /\s/.test(character)) {
      if (begin !== undefined) words.push(part(source, begin, i));
      begin = undefined;
      continue;
    }
    begin ??= i;
    if (character === escape && quote !== "'") i++;
    else if (character === quote) quote = undefined;
    else if (quote === undefined && (character === '"' || character === "'")) quote = character;
  }
  if (begin !== undefined) words.push(part(source, begin, text.length));
  return words;
}

/** A stretch of a slice; the offsets are those of the slice's own text. */
export function part(source: Slice, begin: number, end = source.text.length): Slice {
  return { text: source.text.slice(begin, end), at: source.at + begin };
}

/** A slice without the white space around it. */
export function trimmed(source: Slice): Slice {
  const begin = source.text.search(/\S/);
  return begin < 0 ? part(source, source.text.length) : part(source, begin, source.text.trimEnd().length);
}
