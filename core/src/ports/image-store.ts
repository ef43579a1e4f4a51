import { definePort } from './port.js';
import type { DiskImage } from './hypervisor.js';
import type { Operation, Progress } from './operation.js';

/**
 * Keeps images and makes root disks of them. Content-addressed: what is equal is kept once. Nothing that was not
 * verified against its digest is ever visible through any method, nor after a crash at any point.
 *
 * Concurrency: several processes and calls may use one store. Ownership: the store owns all its files; a
 * {@link RootDisk} keeps what it needs until it is released.
 */
export interface ImageStore {
  /** All images, newest first. */
  list(operation: Operation): Promise<readonly ImageSummary[]>;

  /**
   * Finds one image by reference (`name[:tag][@digest]`, normalised as Docker does), digest, or unique prefix of its
   * id (at least 4 hexadecimal digits).
   * @throws IMAGE_NOT_FOUND @throws INVALID_REFERENCE @throws AMBIGUOUS_REFERENCE
   */
  inspect(reference: string, operation: Operation): Promise<Image>;

  /**
   * Fetches an image from its registry, for the given platform.
   * @throws REGISTRY_FAILED, REGISTRY_DENIED, IMAGE_NOT_FOUND, IMAGE_CORRUPT, LIMIT_EXCEEDED, INVALID_REFERENCE
   */
  pull(reference: string, options: PullOptions): Promise<Image>;

  /**
   * Takes over the images of a docker-archive, oci-archive or OCI directory.
   * @returns the images, in the archive's order
   * @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL
   */
  load(source: ImageSource, options: LoadOptions): Promise<readonly Image[]>;

  /** Makes an image of one layer from a root file system's tar stream. @throws IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL */
  import(tar: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image>;

  /**
   * Adds a layer on top of an image (or of nothing) and gives the result a new config. Writes no more than that layer.
   * @throws IMAGE_NOT_FOUND, IMAGE_CORRUPT, LIMIT_EXCEEDED, DISK_FULL
   */
  commit(change: ImageChange, options: LoadOptions): Promise<Image>;

  /** Gives an image another name; the name moves if it was in use. @throws IMAGE_NOT_FOUND, INVALID_REFERENCE */
  tag(reference: string, name: string, operation: Operation): Promise<void>;

  /**
   * Takes a name away, or by digest or id all names, and the image with the last. Layers go when nothing uses them.
   * @throws IMAGE_NOT_FOUND @throws IMAGE_IN_USE when a root disk is out and `force` is not set
   */
  remove(reference: string, options: RemoveOptions): Promise<RemovedImage>;

  /** The image as one read-only disk. Cheap after the first time. @throws IMAGE_NOT_FOUND, DISK_FULL */
  rootDisk(imageId: string, operation: Operation): Promise<RootDisk>;

  /** Writes images as an oci-archive that other tools read. @throws IMAGE_NOT_FOUND */
  save(references: readonly string[], operation: Operation): AsyncIterable<Uint8Array>;
}

export const ImageStorePort = definePort<ImageStore>('a3s-box.image-store.v1');

/** An OCI platform, for example linux/arm64/v8. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface ImageSummary {
  /** Digest of the image's config: `sha256:` and 64 hexadecimal digits. */
  readonly id: string;
  /** Digest of its manifest. */
  readonly digest: string;
  /** Full names with tag, for example `docker.io/library/alpine:3.20`. */
  readonly names: readonly string[];
  readonly platform: Platform;
  /** When it was made, as its config says; RFC 3339. Absent when the config does not say. */
  readonly created?: string;
  /** Bytes of its layers as they lie in the store. */
  readonly sizeBytes: number;
}

export interface Image extends ImageSummary {
  readonly config: ImageConfig;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
}

/** The part of an OCI image config that shapes a container (image-spec, config.md). */
export interface ImageConfig {
  readonly user?: string;
  readonly env: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly workingDir?: string;
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  readonly healthcheck?: ImageHealthcheck;
  /** Dockerfile instructions for images that are built on this one. Docker's extension. */
  readonly onBuild?: readonly string[];
}

/** Docker's extension of the image config. Times are in nanoseconds, as there. */
export interface ImageHealthcheck {
  readonly test: readonly string[];
  readonly intervalNs?: number;
  readonly timeoutNs?: number;
  readonly startPeriodNs?: number;
  readonly startIntervalNs?: number;
  readonly retries?: number;
}

export interface PullOptions extends Operation {
  /** Default: the host's architecture on linux. */
  readonly platform?: Platform;
  /** Speak http to this registry; only for addresses on loopback. */
  readonly plainHttp?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/** Where to load from: a stream of an archive, or a directory with an OCI layout. */
export type ImageSource =
  | { readonly kind: 'archive'; readonly stream: AsyncIterable<Uint8Array> }
  | { readonly kind: 'directory'; readonly path: string };

export interface LoadOptions extends Operation {
  readonly onProgress?: (progress: Progress) => void;
}

export interface ImportOptions extends LoadOptions {
  readonly name?: string;
  readonly config?: Partial<ImageConfig>;
  readonly platform?: Platform;
}

export interface ImageChange {
  /** Id of the image below; absent for none. */
  readonly base?: string;
  /** The new layer as an OCI layer tar, whiteouts included; absent when only the config changes. */
  readonly layer?: AsyncIterable<Uint8Array>;
  readonly config: ImageConfig;
  /** Of an image without one below. Default: the host's. */
  readonly platform?: Platform;
  /** For the image's history. */
  readonly createdBy: string;
  /** RFC 3339. */
  readonly created: string;
  readonly name?: string;
  readonly author?: string;
  /** For the image's history, beside `createdBy`. */
  readonly comment?: string;
}

export interface RemoveOptions extends Operation {
  readonly force?: boolean;
}

export interface RemovedImage {
  readonly untagged: readonly string[];
  /** Ids and layer digests that are gone. */
  readonly deleted: readonly string[];
}

export interface RootDisk {
  readonly imageId: string;
  readonly disk: DiskImage;
  /** Gives it back. Idempotent. */
  release(): Promise<void>;
}
