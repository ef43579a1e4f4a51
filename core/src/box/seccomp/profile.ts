/** What an OCI runtime specification's `linux.seccomp` holds, and Docker's form of it, which says on what its rules depend. */

/** A number that may need all of its 64 bits. */
type Word = number | bigint;

export interface Argument {
  readonly index: number;
  readonly value: Word;
  readonly valueTwo?: Word;
  readonly op: string;
}

/** When a rule of Docker's form counts. */
export interface Condition {
  readonly caps?: readonly string[];
  /** Go's names: `amd64`, `arm64`. */
  readonly arches?: readonly string[];
  /** For example `4.8`. */
  readonly minKernel?: string;
}

export interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly Argument[];
  readonly includes?: Condition;
  readonly excludes?: Condition;
}

export interface ArchitectureMap {
  readonly architecture: string;
  readonly subArchitectures: readonly string[];
}

export interface Profile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly ArchitectureMap[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly Rule[];
}

/** As the OCI runtime specification has it. */
export interface OciSeccomp {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly Omit<Rule, 'includes' | 'excludes'>[];
}
