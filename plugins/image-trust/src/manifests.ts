import { createHash } from 'node:crypto';
import { BUNDLE_V03_MEDIA_TYPE } from './bundle.js';
import { fault } from './fault.js';
import { isObject, parseObject } from './json.js';
import type { Descriptor } from './signature-registry.js';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
export const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
export const EMPTY_CONFIG = Buffer.from('{}');
/** Signatures of one image that are looked at, and layers of one manifest. */
export const MAX_SIGNATURES = 128;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** A manifest that carries signatures or attestations. */
export interface ArtifactManifest {
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** @throws SIGNATURE_MALFORMED */
export function parseArtifact(bytes: Uint8Array): ArtifactManifest {
  const { layers, config, artifactType } = parseObject(bytes, 'manifest of the signature');
  if (!Array.isArray(layers)) throw fault('SIGNATURE_MALFORMED', 'manifest of the signature has no layers');
  checkCount(layers.length);
  return {
    ...(typeof artifactType === 'string' && { artifactType }),
    config: parseDescriptor(config),
    layers: layers.map(parseDescriptor),
  };
}

/** The descriptors of an index of referrers. @throws SIGNATURE_MALFORMED */
export function parseReferrers(bytes: Uint8Array): Descriptor[] {
  const { manifests } = parseObject(bytes, 'index of referrers');
  if (!Array.isArray(manifests)) throw fault('SIGNATURE_MALFORMED', 'index of referrers has no manifests');
  checkCount(manifests.length);
  return manifests.map(parseDescriptor);
}

/** Whether a referrer may be a bundle: by its type, or of one that older clients write in a registry's place. */
export function mayBeBundle({ artifactType }: Descriptor): boolean {
  return (
    artifactType === undefined || artifactType === '' || [BUNDLE_V03_MEDIA_TYPE, EMPTY_TYPE].includes(artifactType)
  );
}

/** @throws SIGNATURE_MALFORMED */
export function parseDescriptor(value: unknown): Descriptor {
  if (!isObject(value)) throw fault('SIGNATURE_MALFORMED', 'descriptor of a signature is no object');
  const { mediaType, digest, size, artifactType, annotations } = value;
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !DIGEST.test(digest)) {
    throw fault('SIGNATURE_MALFORMED', 'descriptor of a signature has no type or no sha256 digest');
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw fault('SIGNATURE_MALFORMED', 'descriptor of a signature has no size');
  }
  const texts = isObject(annotations) ? Object.entries(annotations).filter(([, it]) => typeof it === 'string') : [];
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' && { artifactType }),
    ...(texts.length > 0 && { annotations: Object.fromEntries(texts) as Record<string, string> }),
  };
}

export function descriptorOf(mediaType: string, bytes: Uint8Array): Descriptor {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { mediaType, digest, size: bytes.length };
}

function checkCount(count: number): void {
  if (count > MAX_SIGNATURES) {
    throw fault('LIMIT_EXCEEDED', `image has ${count} signatures, more than ${MAX_SIGNATURES}`);
  }
}
