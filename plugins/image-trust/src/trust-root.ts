import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial, type TrustMaterial } from '@sigstore/verify';
import { isBoxError } from '@a3s-box/core';
import { fault } from './fault.js';
import { parseObject } from './json.js';

/** Authorities, logs and timestamp authorities that are trusted, each for its time. */
export type TrustRoot = Omit<TrustMaterial, 'publicKey'>;

const MEDIA_TYPES = [
  'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  'application/vnd.dev.sigstore.trustedroot.v0.1+json',
  'application/vnd.dev.sigstore.trustedroot.v0.2+json',
];

/** Reads a sigstore trusted_root.json. @throws TRUST_ROOT_INVALID */
export function parseTrustRoot(bytes: Uint8Array): TrustRoot {
  try {
    const document = parseObject(bytes, 'trust root');
    if (!MEDIA_TYPES.includes(String(document['mediaType']))) {
      throw fault('TRUST_ROOT_INVALID', 'trust root is no trusted_root.json of a known version');
    }
    const { publicKey: _, ...root } = toTrustMaterial(TrustedRoot.fromJSON(document));
    return root;
  } catch (error) {
    if (isBoxError(error) && error.code === 'TRUST_ROOT_INVALID') throw error;
    throw fault('TRUST_ROOT_INVALID', 'trust root cannot be read', error);
  }
}
