import { Fault, type Place } from './fault.js';

/** A stretch of text that stands in one line of the source. */
interface Piece {
  /** Offset of its first character in the logical line. */
  readonly at: number;
  readonly place: Place;
}

/** A part of a logical line. */
export interface Slice {
  readonly text: string;
  /** Offset in the logical line. */
  readonly at: number;
}

/**
 * An instruction as one line: the continued lines of the source joined, without their comments and the empty ones among
 * them. White space at the begin of a continued line stays, as it does in BuildKit.
 */
export class LogicalLine implements Slice {
  readonly at = 0;
  readonly text: string;
  private readonly pieces: readonly Piece[];

  /**
   * @param source the lines of the description
   * @param begin the instruction's first character, both from 0
   * @param end the line behind its last
   * @throws Fault
   */
  constructor(
    source: readonly string[],
    begin: { readonly line: number; readonly character: number },
    end: number,
    escape: string,
  ) {
    let text = '';
    const pieces: Piece[] = [];
    for (let { line } = begin; line < end; line++) {
      const raw = source[line] ?? '';
      if (line > begin.line && isSkipped(raw)) continue;
      const column = line === begin.line ? begin.character : 0;
      pieces.push({ at: text.length, place: { line: line + 1, column: column + 1 } });
      const bare = raw.trimEnd();
      const goesOn = bare.endsWith(escape);
      if (line < end - 1 && bare.endsWith(escape + escape)) {
        const place = { line: line + 1, column: bare.length - 1 };
        throw new Fault(
          place,
          `a line that ends with ${escape}${escape} is taken as continued by some and as ended by others`,
        );
      }
      text += goesOn && !bare.endsWith(escape + escape) ? bare.slice(column, -1) : raw.slice(column);
    }
    this.pieces = pieces;
    this.text = text.trimEnd();
  }

  /** Where a character of the line stands in the source. */
  placeAt(offset: number): Place {
    const piece = this.pieces.findLast(({ at }) => at <= offset) ?? { at: 0, place: { line: 1, column: 1 } };
    return { line: piece.place.line, column: piece.place.column + offset - piece.at };
  }
}

function isSkipped(line: string): boolean {
  return /^\s*(#|$)/.test(line);
}
