import type { Checks } from './check-directive.js';
import type { Place } from './fault.js';
import type { Template } from './template.js';

/** What a word of an instruction says, and where it begins. */
export interface Word extends Template {
  readonly place: Place;
  /** As it stands in the source. */
  readonly source: string;
}

/** A program: words as they are, or a line for the shell. */
export type Command =
  { readonly form: 'exec'; readonly words: readonly string[] } | { readonly form: 'shell'; readonly line: string };

/** A file whose content stands in the description. */
export interface InlineFile {
  readonly name: string;
  readonly content: Template;
}

export interface KeyValue {
  readonly key: Word;
  readonly value: Word;
}

export interface Mount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  readonly options: ReadonlyMap<string, Word>;
}

/** What COPY and ADD have in common. */
export interface Transfer {
  /** Patterns within the context, or of what `from` names; of ADD also addresses. */
  readonly sources: readonly Word[];
  readonly files: readonly InlineFile[];
  readonly target: Word;
  readonly from?: Word;
  readonly owner?: Word;
  readonly mode?: Word;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly Word[];
}

interface HealthCheckOptions {
  readonly interval?: Word;
  readonly timeout?: Word;
  readonly startPeriod?: Word;
  readonly startInterval?: Word;
  readonly retries?: Word;
}

/** What an instruction says, without where it stands. */
export type Statement =
  | { readonly kind: 'from'; readonly image: Word; readonly name?: string; readonly platform?: Word }
  | {
      readonly kind: 'arg';
      readonly names: readonly { readonly name: string; readonly value?: Word; readonly place: Place }[];
    }
  | {
      readonly kind: 'run';
      readonly command: Command;
      /** A here-document that is all of the step: a program for the shell, or for the interpreter that its first line names. */
      readonly script?: string;
      readonly mounts: readonly Mount[];
      readonly network: 'default' | 'none';
    }
  | ({ readonly kind: 'copy' } & Transfer)
  | ({ readonly kind: 'add'; readonly checksum?: Word; readonly unpack?: boolean } & Transfer)
  | { readonly kind: 'env' | 'label'; readonly pairs: readonly KeyValue[] }
  | { readonly kind: 'workdir' | 'user' | 'stopsignal'; readonly value: Word }
  | { readonly kind: 'cmd' | 'entrypoint'; readonly command: Command }
  | { readonly kind: 'shell'; readonly words: readonly string[] }
  | { readonly kind: 'expose' | 'volume'; readonly values: readonly Word[] }
  | { readonly kind: 'healthcheck'; readonly command?: Command; readonly options: HealthCheckOptions }
  | { readonly kind: 'onbuild'; readonly trigger: string }
  | { readonly kind: 'maintainer'; readonly name: string };

export type Instruction = Statement & {
  /** Its keyword's. */
  readonly place: Place;
  /** The instruction as one line, for a step's title. */
  readonly source: string;
};

export interface Stage {
  readonly from: Extract<Instruction, { kind: 'from' }>;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly checks: Checks;
  /** What stands before the first FROM. */
  readonly globals: readonly Extract<Instruction, { kind: 'arg' }>[];
  readonly stages: readonly Stage[];
}
