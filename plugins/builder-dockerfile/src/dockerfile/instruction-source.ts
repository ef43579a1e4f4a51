import { Fault, type Place } from './fault.js';
import type { Word } from './instruction.js';
import type { LogicalLine, Slice } from './logical-line.js';
import { placed, readTemplate } from './read-template.js';
import { part, splitAtBlanks, splitWords, trimmed } from './split-words.js';

/** A here-document; `<<-` has taken the tabs before its lines. */
export interface HereDocument {
  readonly name: string;
  readonly content: string;
  /** Its name is quoted, so its content is meant as it is. */
  readonly quoted: boolean;
  /** Where a character of the content stands in the source. */
  placeAt(offset: number): Place;
}

/** An option before an instruction's arguments: `--name=value` or `--name`. */
export interface Option {
  readonly name: string;
  readonly value?: Slice;
  readonly place: Place;
}

/** An instruction's text, as the parser has found it. */
export interface InstructionText {
  readonly line: LogicalLine;
  readonly escape: string;
  readonly documents: readonly HereDocument[];
  /** The lines of all of them, as they stand in the source with their ends. */
  readonly documentLines: string;
}

/** An instruction that is being read: its keyword, options and the rest of its line. */
export class InstructionSource {
  readonly keyword: string;
  readonly options: readonly Option[];
  readonly arguments: Slice;

  /** @param begin offset of the keyword in the line */
  constructor(
    private readonly of: InstructionText,
    private readonly begin = 0,
  ) {
    const whole = part(of.line, begin);
    const [keyword = ''] = whole.text.split(/\s/, 1);
    this.keyword = keyword.toUpperCase();
    const options: Option[] = [];
    let rest = trimmed(part(whole, keyword.length));
    while (rest.text.startsWith('--')) {
      const [first] = splitWords(rest, of.escape);
      if (first === undefined || first.text === '--') break;
      options.push(this.option(first));
      rest = trimmed(part(rest, first.text.length));
    }
    this.options = options;
    this.arguments = rest;
  }

  get place(): Place {
    return this.of.line.placeAt(this.begin);
  }

  get escape(): string {
    return this.of.escape;
  }

  get documents(): readonly HereDocument[] {
    return this.of.documents;
  }

  get documentLines(): string {
    return this.of.documentLines;
  }

  /** The instruction that is an argument of this one. */
  get trigger(): InstructionSource {
    return new InstructionSource(this.of, this.arguments.at);
  }

  placeOf({ at }: Slice): Place {
    return this.of.line.placeAt(at);
  }

  /** Reads a word's quotes and variables. */
  word(slice: Slice): Word {
    const template = placed(
      () => readTemplate(slice.text, this.escape),
      (offset) => this.of.line.placeAt(slice.at + offset),
    );
    return { ...template, place: this.placeOf(slice), source: slice.text };
  }

  /** The arguments at white space, heeding no quotes. */
  get blankSeparated(): Slice[] {
    return splitAtBlanks(this.arguments);
  }

  /** The arguments as shell words, with their quotes. */
  get shellWords(): Slice[] {
    return splitWords(this.arguments, this.escape);
  }

  fail(message: string, at: Slice | Place = this.place): never {
    throw new Fault('at' in at ? this.placeOf(at) : at, message);
  }

  private option(slice: Slice): Option {
    const place = this.placeOf(slice);
    const equals = slice.text.indexOf('=');
    const name = slice.text.slice(2, equals < 0 ? undefined : equals);
    return equals < 0 ? { name, place } : { name, place, value: part(slice, equals + 1) };
  }
}
