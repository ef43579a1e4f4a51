/** A place in a description, as editors count: both from 1, columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Ends the reading of one instruction; the reader collects it and goes on with the next. */
export class Fault extends Error {
  constructor(
    readonly place: Place,
    message: string,
  ) {
    super(message);
  }
}
