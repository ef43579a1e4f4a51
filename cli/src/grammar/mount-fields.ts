import { BoxError } from '@a3s-box/core';

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** Fields of a `--mount`: each kind of mount takes those that it knows, and what is left then is refused. */
export class MountFields {
  readonly #fields = new Map<string, string | undefined>();

  /** @param text `type=tmpfs,target=/x,"key=a,b"`: a record of CSV, as Docker reads it @throws INVALID_ARGUMENT */
  constructor(text: string) {
    for (const field of splitRecord(text)) {
      const equals = field.indexOf('=');
      const name = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
      this.#fields.set(
        Object.hasOwn(ALIASES, name) ? (ALIASES[name] as string) : name,
        equals < 0 ? undefined : field.slice(equals + 1),
      );
    }
  }

  /** Takes a field out. @returns undefined where it is not there @throws INVALID_ARGUMENT where it has no value */
  take(name: string): string | undefined {
    if (!this.#fields.has(name)) return undefined;
    const value = this.#fields.get(name);
    this.#fields.delete(name);
    if (value === undefined || value === '') throw wrong(`field "${name}" needs a value`);
    return value;
  }

  /** The same, for a field that must be there. */
  require(name: string): string {
    const value = this.take(name);
    if (value === undefined) throw wrong(`field "${name}" is missing`);
    return value;
  }

  /** Takes a switch out: alone it is true. */
  takeSwitch(name: string): boolean {
    if (!this.#fields.has(name)) return false;
    const value = this.#fields.get(name) ?? 'true';
    this.#fields.delete(name);
    if (TRUE.includes(value)) return true;
    if (FALSE.includes(value)) return false;
    throw wrong(`field "${name}" is neither true nor false: ${value}`);
  }

  /** @param kind of mount, for the message @throws INVALID_ARGUMENT for a field that nobody took */
  finish(kind: string): void {
    const [left] = this.#fields.keys();
    if (left !== undefined) throw wrong(`field "${left}" is not one of a mount of type ${kind}`);
  }
}

/** By Docker's other spellings. */
const ALIASES: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
};

/** One record of RFC 4180. */
function splitRecord(text: string): string[] {
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    const match = /^(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/.exec(rest);
    if (!match) throw wrong('a quote is not closed, or stands within a field');
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return fields;
    rest = rest.slice(match[0].length);
  }
}

function wrong(message: string): BoxError {
  return new BoxError('INVALID_ARGUMENT', message);
}
