import { BoxError, type Image } from '@a3s-box/core';
import { checkDigest, digestOf } from './digest.js';
import { parseConfig } from './image-config.js';
import type { Blob, ImageLibrary, NewImage } from './image-library.js';
import type { ImageManifest } from './image-manifest.js';
import type { ExpectedDigests, Layer } from './layer-library.js';
import { plainManifest } from './manifest.js';
import type { Work } from './work.js';

/** Gives the layer with these digests, held for the work; called once for each layer of an image, lowest first. */
export type LayerProvider = (expected: ExpectedDigests, index: number) => Promise<Layer>;

export interface ImageParts {
  readonly config: Uint8Array;
  /** The manifest's bytes and what they say; without it, one is made. */
  readonly manifest?: { readonly bytes: Uint8Array; readonly parsed: ImageManifest };
  readonly names: readonly string[];
  readonly digests?: NewImage['digests'];
  readonly admissions?: NewImage['admissions'];
  readonly layer: LayerProvider;
}

/**
 * Puts an image together: config and manifest must agree, every layer must have the digests that they name. The image
 * is visible when all is there, and not before.
 * @throws IMAGE_CORRUPT and what getting the layers throws
 */
export async function assembleImage(parts: ImageParts, images: ImageLibrary, work: Work): Promise<Image> {
  const config: Blob = { bytes: parts.config, digest: digestOf(parts.config) };
  const { diffIds } = parseConfig(parts.config);
  const manifest = parts.manifest?.parsed;
  if (manifest !== undefined) {
    checkDigest('image config', manifest.config.digest, config.digest);
    if (manifest.layers.length !== diffIds.length) {
      throw new BoxError(
        'IMAGE_CORRUPT',
        `image has ${manifest.layers.length} layers in its manifest and ${diffIds.length} in its config`,
        { hint: 'fetch or build the image again' },
      );
    }
  }
  const layers = await allLayers(diffIds, manifest, parts.layer);
  return images.add(
    {
      config,
      manifest:
        parts.manifest === undefined
          ? plainManifest(config, layers)
          : {
              bytes: parts.manifest.bytes,
              digest: digestOf(parts.manifest.bytes),
              mediaType: parts.manifest.parsed.mediaType,
            },
      names: parts.names,
      ...(parts.digests === undefined ? {} : { digests: parts.digests }),
      ...(parts.admissions === undefined ? {} : { admissions: parts.admissions }),
    },
    work,
  );
}

/** Gets all layers at once; the first failure is reported, after all have ended. */
async function allLayers(
  diffIds: readonly string[],
  manifest: ImageManifest | undefined,
  layer: LayerProvider,
): Promise<Layer[]> {
  const failures: unknown[] = [];
  const wanted = diffIds.map((diffId, index) => {
    const blobDigest = manifest?.layers[index]?.digest;
    return layer({ diffId, ...(blobDigest === undefined ? {} : { blobDigest }) }, index).catch((error: unknown) => {
      failures.push(error);
      return undefined;
    });
  });
  const layers = await Promise.all(wanted);
  if (failures.length > 0) throw failures[0];
  return layers.filter((found) => found !== undefined);
}
