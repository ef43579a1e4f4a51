import { closeSync, openSync } from 'node:fs';

/** The launcher's status pipe, by its convention. */
export const STATUS_DESCRIPTOR = 3;
/** Standard input, output and error, and the status pipe. */
const RESERVED = 4;

/**
 * The descriptors that a VMM inherits. The VMM opens nothing by name, so what it can reach is what stands here. Owns
 * this process's copies from {@link add} to {@link close}.
 */
export class DescriptorTable implements Disposable {
  readonly #descriptors: (number | 'pipe')[] = [];

  /** Takes a descriptor over. @returns its number in the VMM */
  add(descriptor: number): number {
    this.#descriptors.push(descriptor);
    return RESERVED + this.#descriptors.length - 1;
  }

  /** Opens a file. @param flags as of `fs.open`, for example `r` or `r+` @returns its number in the VMM */
  open(path: string, flags: string | number): number {
    return this.add(openSync(path, flags));
  }

  /** Makes a socket pair at the launch, whose end here is the child's `stdio[number]`. @returns its number in the VMM */
  pipe(): number {
    this.#descriptors.push('pipe');
    return RESERVED + this.#descriptors.length - 1;
  }

  /** This process's descriptors in the order of the VMM's numbers, for `stdio` of a child after the reserved ones. */
  get inherited(): readonly (number | 'pipe')[] {
    return this.#descriptors;
  }

  /** How many descriptors the VMM starts with. */
  get size(): number {
    return RESERVED + this.#descriptors.length;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors.splice(0)) if (descriptor !== 'pipe') closeSync(descriptor);
  }
}
