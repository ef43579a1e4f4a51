import { closeSync, openSync } from 'node:fs';
import { createMemory } from '@a3s-box/native';
import type { DescriptorTable } from '@a3s-box/vmm';

/** Size of the disk that a guest sees in an empty slot before one that is not, bytes. It reads as zeros. */
const PLACEHOLDER_BYTES = 64 * 1024 ** 3;

/** What a VMM is given to work with, by names that the launcher understands. */
export interface Handout {
  /** Numbers in the VMM of inherited descriptors that the document does not name itself. */
  readonly unnamed: readonly number[];
  /** Makes a file usable for the VMM. @param flags as of `fs.open` @returns its name there */
  open(path: string, flags: string): string;
  /** As {@link open}, for a file that only another file names. */
  openUnnamed(path: string, flags: string): string;
  /** Name of a file that reads as zeros, as large as an empty slot's disk. */
  zeros(): string;
}

/** Inherited descriptors (ADR 0070). What is not given, the VMM cannot open. */
export class InheritedHandout implements Handout {
  /** Numbers in the VMM of what the document does not name itself. */
  readonly unnamed: number[] = [];
  #zeros: string | undefined;

  constructor(readonly table: DescriptorTable) {}

  /** Name of an inherited descriptor. @param number in the VMM */
  name(number: number): string {
    return `/proc/self/fd/${number}`;
  }

  /** Opens a file for the VMM. @param flags as of `fs.open` @returns its name there */
  open(path: string, flags: string): string {
    return this.name(this.table.open(path, flags));
  }

  /** As {@link open}, for a file that only another file names. */
  openUnnamed(path: string, flags: string): string {
    const number = this.table.open(path, flags);
    this.unnamed.push(number);
    return this.name(number);
  }

  /** Name of a file that is one hole, as large as a disk may be. */
  zeros(): string {
    if (this.#zeros !== undefined) return this.#zeros;
    const memory = createMemory('zeros', PLACEHOLDER_BYTES);
    try {
      this.#zeros = this.openUnnamed(`/proc/self/fd/${memory}`, 'r');
      return this.#zeros;
    } finally {
      closeSync(memory);
    }
  }
}

/** Opens a file of the caller's anew, for reading. */
export function reopen(descriptor: number): number {
  return openSync(`/proc/self/fd/${descriptor}`, 'r');
}
