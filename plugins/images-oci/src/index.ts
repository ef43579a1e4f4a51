export { ARM64_STARTER_IMAGE, makeStarterImage, STARTER_IMAGE } from './starter-image.js';
export { OciImageStore, type OciImageStoreOptions } from './oci-image-store.js';
export type { LayerLimits } from './layer-job.js';
export { fullName, parseReference, repositoryOf, type Reference } from './reference.js';
