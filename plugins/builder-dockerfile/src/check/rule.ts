import type { Place } from '../dockerfile/fault.js';
import type { Dockerfile, Instruction } from '../dockerfile/instruction.js';

/** Something that can be built and is most likely not meant. */
export interface Warning extends Place {
  /** The rule's name, as BuildKit has it. */
  readonly rule: string;
  readonly message: string;
}

export interface Finding {
  readonly place: Place;
  readonly message: string;
}

/** Finds one kind of mistake. The names are those of BuildKit's build checks, so that `# check=skip=` means the same. */
export interface Rule {
  readonly name: string;
  find(dockerfile: Dockerfile): Finding[];
}

/** All instructions, those before the first FROM and the FROMs as well, in their order. */
export function allInstructions({ globals, stages }: Dockerfile): Instruction[] {
  return [...globals, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
}
