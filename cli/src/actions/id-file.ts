import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { BoxError } from '@a3s-box/core';

/** The file of `--cidfile`: made before the box, so that there is none without it; gone again where no box comes. */
export class IdFile implements Disposable {
  readonly #path: string | undefined;
  readonly #descriptor: number | undefined;
  #written = false;

  /** @param path absent: nothing is written @throws CONFLICT, INVALID_ARGUMENT */
  constructor(path: string | undefined) {
    this.#path = path;
    this.#descriptor = path === undefined ? undefined : makeFile(path);
  }

  readonly write = (id: string): void => {
    if (this.#descriptor === undefined || this.#written) return;
    writeSync(this.#descriptor, id);
    this.#written = true;
  };

  [Symbol.dispose](): void {
    if (this.#path === undefined || this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    if (!this.#written) rmSync(this.#path, { force: true });
  }
}

function makeFile(path: string): number {
  try {
    return openSync(path, 'wx', 0o644);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw new BoxError('CONFLICT', `id file ${path} is there already`, {
        hint: 'make sure that the other box does not run, or delete the file',
        cause,
      });
    }
    throw new BoxError('INVALID_ARGUMENT', `id file ${path} cannot be written: ${code}`, {
      hint: 'name a file in a directory that is there',
      cause,
    });
  }
}
