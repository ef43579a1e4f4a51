import { BoxError } from '../errors/box-error.js';
import type { Box } from './box.js';

/** Finds a box by name, id, or unique prefix of its id. @throws NOT_FOUND, AMBIGUOUS_REFERENCE */
export function findBox(all: Iterable<Box>, reference: string): Box {
  const boxes = [...all];
  const exact = boxes.find((box) => box.name === reference || box.id === reference);
  if (exact) return exact;
  const matches = /^[0-9a-f]+$/.test(reference) ? boxes.filter((box) => box.id.startsWith(reference)) : [];
  if (matches.length > 1) {
    throw new BoxError('AMBIGUOUS_REFERENCE', `"${reference}" stands for ${matches.length} boxes`, {
      hint: 'give more digits of the id, or the name',
    });
  }
  if (matches[0]) return matches[0];
  throw new BoxError('NOT_FOUND', `there is no box "${reference}"`);
}
