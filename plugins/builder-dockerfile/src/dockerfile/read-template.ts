import { Fault, type Place } from './fault.js';
import type { Modifier, Template, TemplatePart, VariablePart } from './template.js';

/** What is wrong with a word, and at which of its characters. */
export class WordFault extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

/** Tells what is wrong with a word as a fault of the file. @throws Fault */
export function placed<T>(read: () => T, placeAt: (offset: number) => Place): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WordFault)) throw error;
    throw new Fault(placeAt(error.offset), error.message);
  }
}

/** Variables within variables, at most so deep: no sane file has ten. */
const DEEPEST = 50;

/**
 * Reads a word with its quotes, escapes and variables.
 * @param options.quotes whether quotes are such; in a here-document they stand for themselves
 * @throws WordFault
 */
export function readTemplate(word: string, escape: string, { quotes = true } = {}): Template {
  const reader = new TemplateReader(word, escape, quotes);
  return reader.read(new Set());
}

const OPERATORS = [':-', ':+', ':?', '-', '+', '?', '##', '#', '%%', '%', '//', '/'] as const;

class TemplateReader {
  private at = 0;
  private depth = 0;

  constructor(
    private readonly text: string,
    private readonly escape: string,
    private readonly quotes: boolean,
  ) {}

  /** Reads to one of the characters that end it, which is left, or to the word's end. */
  read(ends: ReadonlySet<string>): Template {
    const parts: TemplatePart[] = [];
    let literal = '';
    for (; this.at < this.text.length && !ends.has(this.current);) {
      const character = this.current;
      if (this.quotes && character === "'") literal += this.singleQuoted();
      else if ((this.quotes && character === '"') || character === '$') {
        if (literal !== '') parts.push(literal);
        literal = '';
        parts.push(...(character === '"' ? this.doubleQuoted() : [this.variable()]));
      } else if (character === this.escape) {
        literal += this.text.charAt(this.at + 1);
        this.at += 2;
      } else {
        literal += character;
        this.at++;
      }
    }
    if (literal !== '') parts.push(literal);
    return { parts };
  }

  private get current(): string {
    return this.text.charAt(this.at);
  }

  private singleQuoted(): string {
    const end = this.text.indexOf("'", this.at + 1);
    if (end < 0) throw new WordFault('the single quote is not closed', this.at);
    const value = this.text.slice(this.at + 1, end);
    this.at = end + 1;
    return value;
  }

  private doubleQuoted(): TemplatePart[] {
    const begin = this.at++;
    const parts: TemplatePart[] = [];
    let literal = '';
    for (; this.current !== '"';) {
      if (this.at >= this.text.length) throw new WordFault('the double quote is not closed', begin);
      const character = this.current;
      if (character === '$') {
        if (literal !== '') parts.push(literal);
        literal = '';
        parts.push(this.variable());
        continue;
      }
      const next = this.text.charAt(this.at + 1);
      // Before any other character it stands for itself.
      const escaping = character === this.escape && (next === '"' || next === '$' || next === this.escape);
      literal += escaping ? next : character;
      this.at += escaping ? 2 : 1;
    }
    this.at++;
    // So that "" is a word: it has a part, which is empty.
    if (literal !== '' || parts.length === 0) parts.push(literal);
    return parts;
  }

  private variable(): TemplatePart {
    const begin = this.at++;
    if (this.current === '{') return this.braced(begin);
    const name = this.name();
    return name === '' ? '$' : { name };
  }

  private braced(begin: number): VariablePart {
    if (++this.depth > DEEPEST) throw new WordFault(`variables are nested more than ${DEEPEST} deep`, begin);
    this.at++;
    const name = this.name();
    if (name === '') throw new WordFault('${ is not followed by the name of a variable', begin);
    const modifier = this.modifier(begin);
    if (this.current !== '}') throw new WordFault('${ is not closed', begin);
    this.at++;
    this.depth--;
    return { name, ...(modifier && { modifier }) };
  }

  private modifier(begin: number): Modifier | undefined {
    if (this.current === '}' || this.at >= this.text.length) return undefined;
    const operator = OPERATORS.find((it) => this.text.startsWith(it, this.at));
    if (operator === undefined) {
      throw new WordFault(`\${ has the unknown modifier ${JSON.stringify(this.current)}`, begin);
    }
    this.at += operator.length;
    if (operator !== '/' && operator !== '//') return { operator, operand: this.read(new Set('}')) };
    const operand = this.read(new Set('/}'));
    if (this.current !== '/') throw new WordFault(`\${ with ${operator} lacks what comes in its place`, begin);
    this.at++;
    return { operator, operand, replacement: this.read(new Set('}')) };
  }

  /** A name, or one of the shell's parameters of one character. */
  private name(): string {
    const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?!$-])/.exec(this.text.slice(this.at))?.[0] ?? '';
    this.at += name.length;
    return name;
  }
}
