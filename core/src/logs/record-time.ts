const SECOND = 1_000_000_000n;
/** Length of `2026-11-22T00:00:00`. */
const SECONDS_LENGTH = 19;
const FORMAT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;

/** Length of a time as {@link RecordTimeFormat} writes it. */
export const TIME_LENGTH = '2026-11-22T00:00:00.123456789Z'.length;

/** Writes times as RFC 3339 in UTC with nine digits after the second. Keeps the last second, which is mostly the same. */
export class RecordTimeFormat {
  #second = -1n;
  #text = '';

  /** @param timeNs nanoseconds since the Unix epoch, from 0 to the year 9999 */
  format(timeNs: bigint): string {
    const second = timeNs / SECOND;
    if (second !== this.#second) {
      this.#text = new Date(Number(second) * 1000).toISOString().slice(0, SECONDS_LENGTH);
      this.#second = second;
    }
    return `${this.#text}.${String(timeNs % SECOND).padStart(9, '0')}Z`;
  }
}

/** Reads what {@link RecordTimeFormat} writes, and other numbers of digits. Keeps the last second and the last time. */
export class RecordTimeParser {
  #text = '';
  #timeNs = 0n;
  #secondText = '';
  #secondNs = 0n;

  /** @returns nanoseconds since the Unix epoch; undefined when it is no time */
  parse(text: string): bigint | undefined {
    if (text === this.#text) return this.#timeNs;
    const match = FORMAT.exec(text);
    if (!match) return undefined;
    const [, second = '', fraction = ''] = match;
    if (second !== this.#secondText) {
      const milliseconds = Date.parse(`${second}Z`);
      if (Number.isNaN(milliseconds)) return undefined;
      this.#secondText = second;
      this.#secondNs = BigInt(milliseconds) * 1_000_000n;
    }
    this.#text = text;
    return (this.#timeNs = this.#secondNs + BigInt(Number(fraction.padEnd(9, '0'))));
  }
}
