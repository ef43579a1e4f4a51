import type { Flags, FlagValues } from './grammar/flag.js';
import type { Grammar } from './grammar/parse-flags.js';
import type { Invocation } from './invocation.js';

/** A command as data. Its code is loaded when it runs. */
export interface Command<F extends Flags = Flags> extends Grammar<F> {
  /** The heading that help and the reference list it under. */
  readonly family: 'Boxes' | 'Images' | 'Volumes' | 'System';
  /** A sentence without a full stop. */
  readonly summary: string;
  /** Paragraphs for help and the reference. */
  readonly description?: readonly string[];
  /** What comes after the flags, `IMAGE [COMMAND] [ARG...]`. */
  readonly synopsis: string;
  readonly minArgs: number;
  readonly maxArgs: number;
  readonly examples?: readonly string[];
  readonly load: () => Promise<Action<F>>;
}

/** What a command does. @returns its exit status */
export type Action<F extends Flags> = (input: Input<F>, invocation: Invocation) => Promise<number>;

export interface Input<F extends Flags> {
  readonly flags: FlagValues<F>;
  readonly args: readonly string[];
}

/** Checks the types of a definition; `as const` would leave actions without those of their flags. */
export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return command;
}
