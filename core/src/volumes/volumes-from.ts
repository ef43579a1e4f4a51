import { BoxError } from '../errors/box-error.js';

/** Whose volumes a box gets too. */
export interface VolumesFrom {
  /** Name, id or unique prefix of the id. */
  readonly box: string;
  readonly readOnly: boolean;
}

/** @param text a box, then perhaps `:ro` or `:rw` @throws INVALID_ARGUMENT */
export function parseVolumesFrom(text: string): VolumesFrom {
  const [box = '', mode = 'rw', ...rest] = text.split(':');
  if (box !== '' && rest.length === 0 && (mode === 'ro' || mode === 'rw')) return { box, readOnly: mode === 'ro' };
  throw new BoxError('INVALID_ARGUMENT', `volumes from "${text}": that is not a box`, { hint: 'give BOX or BOX:ro' });
}
