import { isBoxError } from '@a3s-box/core';
import type { Descriptor, SignatureSource, StoredManifest } from '@a3s-box/image-trust';
import { parseJsonObject } from './image-config.js';
import { MANIFEST_TYPES } from './image-manifest.js';
import type { RegistryClient } from './registry-client.js';

/** Attestations carry lists of packages. */
const MAX_SIGNATURE = 32 * 2 ** 20;

/** What is kept beside images in one repository. */
export class RegistrySignatures implements SignatureSource {
  constructor(private readonly client: RegistryClient) {}

  async manifest(tagOrDigest: string): Promise<StoredManifest | undefined> {
    const found = await ifThere(this.client.manifest(tagOrDigest));
    if (found === undefined) return undefined;
    const { mediaType } = parseJsonObject(found.bytes, 'manifest');
    return { ...found, mediaType: typeof mediaType === 'string' ? mediaType : MANIFEST_TYPES[0] };
  }

  blob(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Buffer> {
    return this.client.document(descriptor, MAX_SIGNATURE);
  }

  async referrers(digest: string): Promise<readonly Descriptor[] | undefined> {
    const { parseReferrers } = await import('@a3s-box/image-trust');
    return (await ifThere(this.client.referrers(digest)))?.flatMap(parseReferrers);
  }
}

/** @returns undefined for what the registry does not have, or does not know of */
async function ifThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isBoxError(error) && error.code === 'IMAGE_NOT_FOUND') return undefined;
    throw error;
  }
}
