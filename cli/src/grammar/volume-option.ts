import { BoxError } from '@a3s-box/core';
import { parseSize } from './values.js';

/** `size=SIZE` of `volume create --opt`. @returns bytes @throws BoxError saying what is wrong with the text */
export function parseVolumeOption(text: string): number {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === 'size' && equals > 0) return parseSize(text.slice(equals + 1));
  throw new BoxError('UNSUPPORTED', `volume option '${name}' is not supported`, {
    hint: 'there is size=SIZE; to show a directory of the host give its path to run -v',
  });
}

/** @throws BoxError for any driver but the one there is */
export function parseVolumeDriver(name: string): string {
  if (name === 'local') return name;
  throw new BoxError('UNSUPPORTED', `volume driver '${name}' is not supported`, { hint: "there is 'local'" });
}
