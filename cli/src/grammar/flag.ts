/** Flags as data: what the parser, help, the reference and oclif's command classes are all made from. */

interface FlagBase {
  /** One letter. */
  readonly char?: string;
  /** A phrase without a full stop, for help. */
  readonly summary: string;
  readonly hidden?: boolean;
  /** Other long spellings. */
  readonly aliases?: readonly string[];
}

/** `--name`, `--name=false`. */
export interface BooleanFlag extends FlagBase {
  readonly kind: 'boolean';
  /** On without the flag; `--name=false` turns it off. */
  readonly byDefault?: true;
}

/** `--name VALUE`; the last one counts. */
export interface ValueFlag<T> extends FlagBase {
  readonly kind: 'value';
  /** What help calls the value. */
  readonly placeholder: string;
  /** @throws BoxError saying what is wrong with the text; the parser adds the flag */
  readonly parse: (text: string) => T;
  /** What holds without the flag, in words. */
  readonly absent?: string;
}

/** `--name VALUE`, any number of times. */
export interface ListFlag<T> extends Omit<ValueFlag<T>, 'kind'> {
  readonly kind: 'list';
}

export type Flag = BooleanFlag | ValueFlag<unknown> | ListFlag<unknown>;
export type Flags = Readonly<Record<string, Flag>>;

/** The values that a command gets for its flags. */
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends BooleanFlag
    ? boolean
    : F[K] extends ListFlag<infer T>
      ? readonly T[]
      : F[K] extends ValueFlag<infer T>
        ? T | undefined
        : never;
};

/** Any text. */
export const text = (value: string): string => value;
