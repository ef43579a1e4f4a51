import { BoxError, type Image } from '@a3s-box/core';
import { checkDigest, digestOf } from './digest.js';
import { assembleImage } from './image-assembly.js';
import type { LoadContext } from './load-archive.js';
import { isAttestation, isIndex, parseManifest, selectPlatform, type Descriptor } from './image-manifest.js';
import type { ExpectedDigests, Layer } from './layer-library.js';
import { guestPlatform } from './platform.js';
import { fullName } from './reference.js';

/** The files of an OCI layout, wherever they lie. */
export interface LayoutContent {
  /** A small file by its path; undefined when there is none. */
  document(path: string): Uint8Array | undefined;
  /** A manifest, index or config. @throws IMAGE_CORRUPT when it is missing */
  blob(digest: string): Promise<Uint8Array>;
  /** A layer, checked and held. @throws IMAGE_CORRUPT */
  blobLayer(expected: ExpectedDigests & { readonly blobDigest: string }): Promise<Layer>;
}

/** Indexes may be nested; deeper than this is a trick. */
const MAX_DEPTH = 4;

/**
 * Loads the images of an OCI layout, in its order. Of an image for several platforms the guest's is taken.
 * @throws IMAGE_CORRUPT, UNSUPPORTED, IMAGE_NOT_FOUND when an image is not offered for the guest's platform
 */
export async function loadLayout(content: LayoutContent, { images, work }: LoadContext): Promise<Image[]> {
  const index = parseManifest(content.document('index.json') ?? new Uint8Array());
  if (index.kind !== 'index') throw new BoxError('IMAGE_CORRUPT', 'OCI layout has an index.json that is no index');
  const loaded = new Map<string, Image>();
  for (const entry of index.manifests.filter((descriptor) => !isAttestation(descriptor))) {
    const { descriptor, bytes } = await imageOf(entry, content, MAX_DEPTH);
    const parsed = parseManifest(bytes);
    if (parsed.kind !== 'manifest') throw new BoxError('IMAGE_CORRUPT', `${descriptor.digest} is no image manifest`);
    const config = await verified(parsed.config, content);
    const image = await assembleImage(
      {
        config,
        manifest: { bytes, parsed },
        names: namesOf(entry),
        layer: (expected, at) => content.blobLayer({ ...expected, blobDigest: parsed.layers[at]?.digest ?? '' }),
      },
      images,
      work,
    );
    loaded.set(image.id, image);
  }
  if (loaded.size === 0) throw new BoxError('IMAGE_CORRUPT', 'OCI layout holds no image');
  return [...loaded.values()];
}

async function imageOf(
  entry: Descriptor,
  content: LayoutContent,
  depth: number,
): Promise<{ descriptor: Descriptor; bytes: Uint8Array }> {
  const bytes = await verified(entry, content);
  if (!isIndex(entry)) return { descriptor: entry, bytes };
  const nested = parseManifest(bytes);
  if (nested.kind !== 'index' || depth === 0) throw new BoxError('IMAGE_CORRUPT', `${entry.digest} is no usable index`);
  return imageOf(selectPlatform(nested, guestPlatform(), entry.digest), content, depth - 1);
}

async function verified(descriptor: Descriptor, content: LayoutContent): Promise<Uint8Array> {
  const bytes = await content.blob(descriptor.digest);
  checkDigest('document of the OCI layout', descriptor.digest, digestOf(bytes));
  return bytes;
}

/** A reference name is a full name for some tools, and a bare tag for others, which names nothing by itself. */
function namesOf({ annotations }: Descriptor): string[] {
  const name = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
  return name !== undefined && /[:/]/.test(name) ? [fullName(name)] : [];
}
