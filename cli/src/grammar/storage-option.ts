import { BoxError } from '@a3s-box/core';
import { parseSize } from './values.js';

/** `size=SIZE`. @returns bytes @throws BoxError saying what is wrong with the text */
export function parseStorageOption(text: string): number {
  const [name = '', ...value] = text.split('=');
  if (name === 'size' && value.length > 0) return parseSize(value.join('='));
  throw new BoxError('UNSUPPORTED', `storage option '${name}' is not supported`, { hint: 'there is size=SIZE' });
}
