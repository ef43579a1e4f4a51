import type { BoxSpec } from '../box/box-spec.js';
import { isBoxError } from '../errors/box-error.js';
import type { CredentialSource } from './registry-client.js';
import type { ImageClient, ImageWorkOptions } from './image-client.js';

export interface ImagePolicy extends ImageWorkOptions {
  /** `always` asks the registry first, `missing` when there is no such image here, `never` does not. */
  readonly pull: 'always' | 'missing' | 'never';
  /** Is called before an image is fetched because it is not here. */
  readonly onMissing?: () => void;
  readonly credentials?: CredentialSource;
}

/** Registries on this machine, which may speak http, as Docker has it. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?\//;

/**
 * Does something that needs a spec's image, after fetching that where the policy says so.
 * @param work may be done twice: a first time that failed with IMAGE_NOT_FOUND has changed nothing
 * @throws what the work throws, and what {@link ImageClient.pull} does
 */
export async function withImage<T>(
  images: ImageClient,
  spec: Pick<BoxSpec, 'image' | 'platform'>,
  policy: ImagePolicy,
  work: () => Promise<T>,
): Promise<T> {
  if (policy.pull === 'always') await pullFor(images, spec, policy);
  try {
    return await work();
  } catch (error) {
    if (policy.pull !== 'missing' || !isBoxError(error) || error.code !== 'IMAGE_NOT_FOUND') throw error;
  }
  policy.onMissing?.();
  await pullFor(images, spec, policy);
  return await work();
}

async function pullFor(
  images: ImageClient,
  { image, platform }: Pick<BoxSpec, 'image' | 'platform'>,
  { onProgress, onWarning, credentials, signal }: ImagePolicy,
): Promise<void> {
  const options = {
    ...(platform !== undefined && { platform }),
    ...(onProgress && { onProgress }),
    ...(onWarning && { onWarning }),
    ...(credentials && { credentials }),
    ...(signal && { signal }),
  };
  try {
    await images.pull(image, options);
  } catch (error) {
    if (!LOOPBACK.test(image) || !isBoxError(error) || error.code !== 'REGISTRY_FAILED') throw error;
    await images.pull(image, { ...options, plainHttp: true });
  }
}
