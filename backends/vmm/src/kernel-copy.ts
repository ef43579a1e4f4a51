import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { copyToMemory } from '@a3s-box/native';

/**
 * A VM's own copy of the kernel, in memory. QEMU maps the file that it loads a kernel from and keeps the map for a reset,
 * 21 MiB that are never read again: with `-no-reboot` a machine starts once. So the file is emptied when the machine
 * stands, and the memory is free (docs/adr/0013).
 */
export class KernelCopy implements Disposable {
  /** Stays this object's. */
  readonly descriptor: number;
  #isOpen = true;

  /** @param path absolute path of the kernel */
  constructor(path: string) {
    const source = openSync(path, 'r');
    try {
      this.descriptor = copyToMemory(source, 'kernel');
    } finally {
      closeSync(source);
    }
  }

  /** Gives the memory back. Only once QEMU answers: it has loaded the kernel by then. */
  empty(): void {
    ftruncateSync(this.descriptor, 0);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) closeSync(this.descriptor);
    this.#isOpen = false;
  }
}
