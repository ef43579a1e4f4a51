import { isDeepStrictEqual } from 'node:util';
import { bundleFromJSON, bundleToJSON, BUNDLE_V03_MEDIA_TYPE, type Bundle } from '@sigstore/bundle';
import { fault, shown } from './fault.js';
import { isObject, parseObject } from './json.js';

export { BUNDLE_V03_MEDIA_TYPE };
export type { Bundle };

/**
 * A sigstore bundle of version 0.3, in which nothing is that was not understood: written again it says the same.
 * So no field, known or not, can be changed without that being seen here or in what is verified.
 * @throws SIGNATURE_MALFORMED
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  const document = parseObject(bytes, 'signature bundle');
  if (document['mediaType'] !== BUNDLE_V03_MEDIA_TYPE) {
    throw fault('SIGNATURE_MALFORMED', `signature bundle is of the type ${shown(String(document['mediaType']))}`);
  }
  let bundle: Bundle;
  try {
    bundle = bundleFromJSON(document);
  } catch (error) {
    throw fault('SIGNATURE_MALFORMED', 'signature bundle is not complete', error);
  }
  if (!isDeepStrictEqual(said(bundleToJSON(bundle)), said(document))) {
    throw fault('SIGNATURE_MALFORMED', 'signature bundle has fields that are not of its format');
  }
  return bundle;
}

/** What a protobuf document in JSON says, whichever way defaults and 64-bit numbers are written. */
function said(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(said);
  if (!isObject(value)) return typeof value === 'number' ? String(value) : value;
  const fields = Object.entries(value)
    .map(([name, it]) => [name, said(it)] as const)
    .filter(([, it]) => !isDefault(it));
  return Object.assign(Object.create(null), Object.fromEntries(fields)) as unknown;
}

function isDefault(value: unknown): boolean {
  if (value === null || value === '' || value === '0' || value === false) return true;
  return Array.isArray(value) && value.length === 0;
}
