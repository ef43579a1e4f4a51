import { Fault, type Place } from '../dockerfile/fault.js';
import type { Word } from '../dockerfile/instruction.js';
import { DemandedVariable, expand, type Lookup } from '../dockerfile/template.js';

/** A word with its variables put in. @throws Fault for one that demands what is not set */
export function expandWord(word: Word, lookup: Lookup): string {
  return demanded(word, () => expand(word, lookup));
}

/** Tells a variable that is demanded and missing as a fault of the file. @throws Fault */
export function demanded<T>({ place }: { readonly place: Place }, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DemandedVariable) throw new Fault(place, error.message);
    throw error;
  }
}
