import { BoxError, type Platform, type PushOptions } from '@a3s-box/core';
import type { ImageLibrary } from './image-library.js';
import { platformText } from './image-manifest.js';
import { fullName, parseReference, repositoryOf, type Reference } from './reference.js';

/** What goes under one name. */
export interface Parcel {
  /** With tag. */
  readonly reference: Reference;
  /** Ids of images; several go as an index. */
  readonly ids: readonly string[];
}

/**
 * What a push sends, to one repository.
 * @throws IMAGE_NOT_FOUND, INVALID_REFERENCE, INVALID_ARGUMENT
 */
export function parcelsOf(name: string, images: ImageLibrary, options: PushOptions): readonly Parcel[] {
  const { images: references = [], allTags = false, platform } = options;
  if (allTags && (references.length > 0 || platform !== undefined)) {
    throw new BoxError('INVALID_ARGUMENT', 'push: all tags of a repository go as they are', {
      hint: 'name neither images nor a platform with them',
    });
  }
  if (allTags) return tagsOf(name, images);
  const reference = parseReference(fullName(name));
  const ids = references.length === 0 ? [images.resolve(fullName(name))] : references.map((it) => images.resolve(it));
  checkPlatforms(
    name,
    ids.map((id) => images.image(id).platform),
    platform,
  );
  return [{ reference, ids }];
}

function checkPlatforms(name: string, platforms: readonly Platform[], wanted: Platform | undefined): void {
  const texts = platforms.map(platformText);
  const twice = texts.find((it, index) => texts.indexOf(it) !== index);
  if (twice !== undefined) {
    throw new BoxError('INVALID_ARGUMENT', `push: two of the images for ${name} are for ${twice}`, {
      hint: 'an index has one image for each platform',
    });
  }
  if (wanted === undefined) return;
  const other = platforms.find((it) => !isFor(it, wanted));
  if (other === undefined) return;
  throw new BoxError(
    'IMAGE_NOT_FOUND',
    `image ${name} is for ${platformText(other)}, not for ${platformText(wanted)}`,
    {
      hint: 'an image here has one platform; pull it for the other one first',
    },
  );
}

/** @param wanted without a variant: any */
export function isFor(
  { os, architecture, variant }: Platform,
  wanted: Pick<Platform, 'os' | 'architecture'> & { readonly variant?: string | undefined },
): boolean {
  const sameVariant = wanted.variant === undefined || wanted.variant === variant;
  return os === wanted.os && architecture === wanted.architecture && sameVariant;
}

function tagsOf(name: string, images: ImageLibrary): readonly Parcel[] {
  const { tag, digest, ...repository } = parseReference(name);
  if (digest !== undefined || (tag !== undefined && name.endsWith(`:${tag}`))) {
    throw new BoxError('INVALID_REFERENCE', `image name ${name} has a tag or digest, and all tags are to be pushed`, {
      hint: 'name the repository alone',
    });
  }
  const parcels = images
    .namesIn(repositoryOf(repository))
    .map((full) => ({ reference: parseReference(full), ids: [images.resolve(full)] }));
  if (parcels.length > 0) return parcels;
  throw new BoxError('IMAGE_NOT_FOUND', `no image in the store has a name in the repository ${name}`, {
    hint: 'give it one: a3s-box tag IMAGE NAME',
  });
}
