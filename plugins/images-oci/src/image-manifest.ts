import { BoxError, type Platform } from '@a3s-box/core';
import { isDigest } from './digest.js';
import { isObject, isPlatformWord, MAX_LAYERS, parseJsonObject, type JsonObject } from './image-config.js';
import { quoted } from './quoted.js';

/** A reference to content (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ImageManifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

export const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;
export const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
] as const;
const CONFIG_TYPES = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.diff\.tar(?:\.gzip|\.zstd)?)$/;

/**
 * OCI's name for a layer's media type, of which OCI's manifests may speak.
 * @returns undefined for layers that registries need not have
 */
export function ociLayerType(mediaType: string): string | undefined {
  if (mediaType.includes('nondistributable')) return undefined;
  return mediaType.replace(
    /^application\/vnd\.docker\.image\.rootfs\.diff\.tar(?:\.(gzip|zstd))?$/,
    (_whole, compression?: string) =>
      `application/vnd.oci.image.layer.v1.tar${compression === undefined ? '' : `+${compression}`}`,
  );
}

/** Largest manifest, index or config that is read, as registries limit them. */
export const MAX_DOCUMENT = 4 * 1024 * 1024;

/**
 * Parses an image manifest or index of OCI or Docker.
 * @throws IMAGE_CORRUPT when it is malformed, UNSUPPORTED when it is of another kind
 */
export function parseManifest(bytes: Uint8Array): ImageManifest | ImageIndex {
  const document = parseJsonObject(bytes, 'image manifest');
  if (document['schemaVersion'] !== 2) {
    throw new BoxError('UNSUPPORTED', 'image manifest is not of schema version 2, which is not supported', {
      hint: 'push the image again with a current tool',
    });
  }
  const { mediaType, manifests, layers, config } = document;
  if (Array.isArray(manifests) && layers === undefined) {
    const type = typeof mediaType === 'string' ? mediaType : INDEX_TYPES[0];
    return { kind: 'index', mediaType: type, manifests: manifests.map((entry) => parseDescriptor(entry)) };
  }
  if (!Array.isArray(layers) || manifests !== undefined)
    throw corruptManifest('has neither layers nor manifests, or both');
  if (layers.length > MAX_LAYERS) throw new BoxError('LIMIT_EXCEEDED', `image has more than ${MAX_LAYERS} layers`);
  const manifest: ImageManifest = {
    kind: 'manifest',
    mediaType: typeof mediaType === 'string' ? mediaType : MANIFEST_TYPES[0],
    config: parseDescriptor(config),
    layers: layers.map((entry) => parseDescriptor(entry)),
  };
  refuseOtherContent(manifest);
  return manifest;
}

/** Whether a descriptor leads to an index. */
export function isIndex(descriptor: Descriptor): boolean {
  return (INDEX_TYPES as readonly string[]).includes(descriptor.mediaType);
}

/** Whether a descriptor of an index leads to statements about an image and not to one. */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  return annotations['vnd.docker.reference.type'] !== undefined || platform?.os === 'unknown';
}

/**
 * The image of an index for a platform: the same variant if there is one, else one without, else the first.
 * @throws IMAGE_NOT_FOUND when there is none
 */
export function selectPlatform(index: ImageIndex, platform: Platform, name: string): Descriptor {
  const images = index.manifests.filter((descriptor) => !isAttestation(descriptor));
  const fitting = images.filter(
    ({ platform: its }) => its === undefined || (its.os === platform.os && its.architecture === platform.architecture),
  );
  const chosen =
    fitting.find(({ platform: its }) => its?.variant === platform.variant) ??
    fitting.find(({ platform: its }) => its?.variant === undefined) ??
    (platform.architecture === 'arm64' || platform.variant === undefined ? fitting[0] : undefined);
  if (chosen !== undefined) return chosen;
  const offered = images
    .slice(0, 20)
    .map(({ platform: its }) => (its === undefined ? 'unknown' : platformText(its)))
    .join(', ');
  throw new BoxError('IMAGE_NOT_FOUND', `image ${name} is not offered for ${platformText(platform)}`, {
    hint: offered === '' ? 'the index is empty' : `it is offered for ${offered}`,
  });
}

export function platformText({ os, architecture, variant }: Platform): string {
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

function parseDescriptor(value: unknown): Descriptor {
  if (!isObject(value)) throw corruptManifest('has a descriptor that is no object');
  const { mediaType, digest, size, platform, annotations } = value;
  if (typeof mediaType !== 'string') throw corruptManifest('has a descriptor without media type');
  if (!isDigest(digest)) throw corruptManifest('has a descriptor whose digest is no sha256 digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw corruptManifest('has a descriptor without size');
  }
  const parsed = isObject(platform) ? parsePlatform(platform) : undefined;
  return {
    mediaType,
    digest,
    size,
    ...(parsed === undefined ? {} : { platform: parsed }),
    annotations: isObject(annotations) ? textFields(annotations) : {},
  };
}

function parsePlatform({ os, architecture, variant }: JsonObject): Platform | undefined {
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  if (![os, architecture, variant ?? ''].every(isPlatformWord)) throw corruptManifest('names a platform that is none');
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
}

function textFields(object: JsonObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(object).filter((field): field is [string, string] => typeof field[1] === 'string'),
  );
}

function refuseOtherContent({ config, layers }: ImageManifest): void {
  if (!CONFIG_TYPES.includes(config.mediaType)) {
    throw new BoxError('UNSUPPORTED', `manifest is of no container image: its config is ${quoted(config.mediaType)}`, {
      hint: 'this kind of artifact cannot be run',
    });
  }
  const other = layers.find(({ mediaType }) => !LAYER_TYPE.test(mediaType));
  if (other !== undefined) {
    throw new BoxError('UNSUPPORTED', `image has a layer of the unsupported type ${quoted(other.mediaType)}`, {
      hint: 'layers are tar archives, as they are or compressed with gzip or zstd',
    });
  }
}

function corruptManifest(what: string): BoxError {
  return new BoxError('IMAGE_CORRUPT', `image manifest ${what}`, { hint: 'fetch or build the image again' });
}
