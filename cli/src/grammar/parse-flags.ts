import { BoxError, isBoxError } from '@a3s-box/core';
import { unsupportedFlag } from '../unsupported.js';
import type { Flag, Flags, FlagValues } from './flag.js';

/** What of a command the grammar depends on. */
export interface Grammar<F extends Flags = Flags> {
  /** For example `run`. */
  readonly name: string;
  readonly flags: F;
  /** Whether flags are also looked for after the first argument. `run` and `exec` leave those to the workload. */
  readonly interspersed: boolean;
}

export interface Parsed<F extends Flags> {
  readonly flags: FlagValues<F>;
  readonly args: readonly string[];
  /** `--help` was met; what comes after it was not looked at. */
  readonly help: boolean;
}

/** Why a value cannot be: what its parser said. */
type Reason = Pick<BoxError, 'message'> & Partial<Pick<BoxError, 'code' | 'hint'>>;

/** Go's strconv.ParseBool, which Docker's flags are read with. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...{ '1': true, t: true, T: true, true: true, TRUE: true, True: true },
  ...{ '0': false, f: false, F: false, false: false, FALSE: false, False: false },
};

/**
 * Reads a command line as Docker does (spf13/pflag): `--name=value`, `--name value`, `-n value`, `-nvalue`, `-n=value`,
 * `-abn value`, `--bool=false`; `--` ends the flags and is taken away. The last of several values counts.
 * @throws INVALID_ARGUMENT, UNSUPPORTED for a flag of Docker's that is refused
 */
export function parseFlags<F extends Flags>(grammar: Grammar<F>, argv: readonly string[]): Parsed<F> {
  const reader = new Reader(grammar, argv);
  reader.read();
  return { flags: reader.values() as FlagValues<F>, args: reader.args, help: reader.help };
}

class Reader {
  readonly args: string[] = [];
  help = false;
  readonly #grammar: Grammar;
  readonly #rest: string[];
  readonly #given = new Map<string, unknown[]>();

  constructor(grammar: Grammar, argv: readonly string[]) {
    this.#grammar = grammar;
    this.#rest = [...argv];
  }

  read(): void {
    for (let word = this.#rest.shift(); word !== undefined && !this.help; word = this.#rest.shift()) {
      if (word === '--') {
        this.args.push(...this.#rest.splice(0));
      } else if (word.startsWith('--')) {
        this.#readLong(word);
      } else if (word.startsWith('-') && word.length > 1) {
        this.#readShorts(word);
      } else {
        this.args.push(word);
        if (!this.#grammar.interspersed) this.args.push(...this.#rest.splice(0));
      }
    }
  }

  values(): Record<string, unknown> {
    const entries = Object.entries(this.#grammar.flags).map(([name, flag]) => {
      const given = this.#given.get(name) ?? [];
      return [
        name,
        flag.kind === 'list'
          ? given
          : (given.at(-1) ?? (flag.kind === 'boolean' ? flag.byDefault === true : undefined)),
      ];
    });
    return Object.fromEntries(entries);
  }

  #readLong(word: string): void {
    const equals = word.indexOf('=');
    const spelled = word.slice(2, equals < 0 ? undefined : equals);
    if (spelled === '' || spelled.startsWith('-')) throw this.#wrong(`bad flag syntax: ${word}`);
    const [name, flag] = this.#longFlag(spelled);
    if (flag === undefined) {
      if (spelled === 'help') this.help = true;
      else throw this.#unknown(`--${spelled}`, `unknown flag: --${spelled}`);
    } else if (equals >= 0) {
      this.#set(name, flag, word.slice(equals + 1));
    } else if (flag.kind === 'boolean') {
      this.#set(name, flag, 'true');
    } else {
      this.#set(name, flag, this.#valueAfter(`--${spelled}`));
    }
  }

  /** @returns its name, also for another spelling */
  #longFlag(spelled: string): readonly [name: string, flag: Flag | undefined] {
    const { flags } = this.#grammar;
    if (Object.hasOwn(flags, spelled)) return [spelled, flags[spelled]];
    return Object.entries(flags).find(([, { aliases }]) => aliases?.includes(spelled)) ?? [spelled, undefined];
  }

  #readShorts(word: string): void {
    for (let group = word.slice(1); group !== '';) {
      const [char = ''] = group;
      const [name, flag] = Object.entries(this.#grammar.flags).find(([, { char: own }]) => own === char) ?? [];
      const rest = group.slice(char.length);
      if (name === undefined || flag === undefined) {
        if (char !== 'h') throw this.#unknown(`-${char}`, `unknown shorthand flag: '${char}' in ${word}`);
        this.help = true;
        return;
      }
      if (rest.length > 1 && rest.startsWith('=')) {
        this.#set(name, flag, rest.slice(1));
        return;
      }
      if (flag.kind === 'boolean') {
        this.#set(name, flag, 'true');
        group = rest;
        continue;
      }
      this.#set(name, flag, rest === '' ? this.#valueAfter(`'${char}' in ${word}`) : rest);
      return;
    }
  }

  #valueAfter(flag: string): string {
    const value = this.#rest.shift();
    if (value === undefined) throw this.#wrong(`flag needs an argument: ${flag}`);
    return value;
  }

  #set(name: string, flag: Flag, value: string): void {
    const given = this.#given.get(name) ?? [];
    this.#given.set(name, given);
    if (flag.kind !== 'boolean') {
      given.push(this.#parse(name, flag, value));
      return;
    }
    const truth = Object.hasOwn(BOOLEANS, value) ? BOOLEANS[value] : undefined;
    if (truth === undefined) throw this.#invalid(name, flag, value, { message: 'it is neither true nor false' });
    given.push(truth);
  }

  #parse(name: string, flag: Exclude<Flag, { kind: 'boolean' }>, value: string): unknown {
    try {
      return flag.parse(value);
    } catch (error) {
      if (!isBoxError(error)) throw error;
      throw this.#invalid(name, flag, value, error);
    }
  }

  #invalid(name: string, { char }: Flag, value: string, why: Reason): BoxError {
    const spelled = char === undefined ? `--${name}` : `-${char}, --${name}`;
    return this.#wrong(`invalid argument "${value}" for "${spelled}" flag: ${why.message}`, why);
  }

  #unknown(spelled: string, message: string): BoxError {
    const known = unsupportedFlag(this.#grammar.name, spelled);
    if (known === undefined) return this.#wrong(message);
    return new BoxError('UNSUPPORTED', `${known.spelling} is not supported: ${known.reason}`, {
      hint: `'a3s-box ${this.#grammar.name} --help' lists what is`,
    });
  }

  #wrong(message: string, { code = 'INVALID_ARGUMENT', hint }: Omit<Reason, 'message'> = {}): BoxError {
    return new BoxError(code, message, {
      hint: hint ?? `run 'a3s-box ${this.#grammar.name} --help' for more information`,
    });
  }
}
