import type { ImageFiles } from './image-files.js';
import { definePort } from './port.js';
import type { DiskImage } from './hypervisor.js';
import type { Operation, Progress } from './operation.js';
import type {
  AdmitOptions,
  ImageReferrer,
  PolicyOptions,
  SignedImage,
  SignOptions,
  VerifiedImage,
  VerifyOptions,
} from './image-trust.js';
import type { LoginOptions, RegistryOptions, RegistrySettings } from './registry.js';

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
   * Fetches an image from its registry, for the given platform, if the image policies let it through.
   * @throws REGISTRY_FAILED, REGISTRY_DENIED, IMAGE_NOT_FOUND, IMAGE_CORRUPT, LIMIT_EXCEEDED, INVALID_REFERENCE, and as
   * {@link admit}
   */
  pull(reference: string, options: PullOptions): Promise<Image>;

  /**
   * Sends an image to the registry of a name, which it has here: its config as it is, and its layers as the registry or
   * another of its repositories has them, or compressed anew; then its digest there is another than here. What was sent
   * of a push that fails stays in the registry, without a name. Writes nothing here but the digests.
   * @returns one for each name
   * @throws IMAGE_NOT_FOUND, REGISTRY_FAILED, REGISTRY_DENIED, INVALID_REFERENCE, INVALID_ARGUMENT, IMAGE_CORRUPT, DISK_FULL
   */
  push(name: string, options: PushOptions): Promise<readonly PushedImage[]>;

  /**
   * The registries that {@link pull} may ask for an image, in its order: those to bring credentials for. {@link push}
   * asks the last. Asks none.
   * @throws INVALID_REFERENCE
   */
  registriesOf(reference: string, settings?: RegistrySettings): readonly string[];

  /**
   * Asks a registry whether it takes the credentials. Keeps nothing.
   * @throws REGISTRY_DENIED when it does not, REGISTRY_FAILED, INVALID_REFERENCE when it is no registry's name
   */
  login(options: LoginOptions): Promise<void>;

  /**
   * Lets an image of the store be used under a name, or under any of its names for an id or digest, if the image policies
   * do. What they ask for was verified when the image was pulled, or is now, which asks its registry.
   * @throws IMAGE_NOT_FOUND, IMAGE_POLICY_INVALID, IMAGE_REJECTED, IMAGE_UNSIGNED, what is wrong with its signatures
   * (`SIGNATURE_...`, `SIGNER_...`, `LOG_PROOF_...`, TIMESTAMP_INVALID), TRUST_ROOT_INVALID, REGISTRY_FAILED,
   * REGISTRY_DENIED
   */
  admit(reference: string, options: AdmitOptions): Promise<void>;

  /**
   * Looks for good signatures of an image in its registry: of the one in the store, else of the registry's.
   * @throws as {@link admit}, SIGNING_KEY_INVALID, ATTESTATION_MISSING, INVALID_ARGUMENT when nobody says who must have signed
   */
  verify(reference: string, options: VerifyOptions): Promise<VerifiedImage>;

  /**
   * Signs an image that is in its registry, and puts the signature beside it.
   * @throws SIGNING_KEY_INVALID, SIGNING_FAILED, INVALID_ARGUMENT when the store has another image by that name, IMAGE_NOT_FOUND,
   * REGISTRY_FAILED, REGISTRY_DENIED
   */
  sign(reference: string, options: SignOptions): Promise<SignedImage>;

  /** What is kept beside an image in its registry. @throws IMAGE_NOT_FOUND, REGISTRY_FAILED, REGISTRY_DENIED */
  referrers(reference: string, options: Operation & RegistryOptions): Promise<readonly ImageReferrer[]>;

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

  /**
   * Takes images away, those first that were used least recently, until the store keeps to its own limit, if it has one.
   * Images whose disk is out stay.
   */
  trim(options: TrimOptions): Promise<readonly RemovedImage[]>;

  /**
   * Verifies all that the store keeps. Boxes and other calls may go on meanwhile.
   * @throws DISK_FULL: it makes what it compares with
   */
  check(options: CheckOptions): Promise<StoreCheck>;

  /** The image as one read-only disk. Cheap after the first time. @throws IMAGE_NOT_FOUND, DISK_FULL */
  rootDisk(imageId: string, operation: Operation): Promise<RootDisk>;

  /** The image's files, to be read here. @throws IMAGE_NOT_FOUND, IMAGE_CORRUPT */
  files(imageId: string, operation: Operation): Promise<ImageFiles>;

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
  /** Under which digests repositories have it, as far as it came from there or went there: `repository@digest`, oldest first. */
  readonly repoDigests: readonly string[];
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
  /** How it was made, as its config says; oldest step first. */
  readonly history: readonly ImageStep[];
}

/** One step of an image's history (image-spec, config.md). */
export interface ImageStep {
  /** RFC 3339. */
  readonly created?: string;
  readonly createdBy?: string;
  readonly comment?: string;
  /** Bytes of its layer as it lies in the store; 0 when it made none. */
  readonly sizeBytes: number;
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

export interface PullOptions extends Operation, RegistryOptions, PolicyOptions {
  /** Default: the host's architecture on linux. */
  readonly platform?: Platform;
  readonly onProgress?: (progress: Progress) => void;
  /** Is told what is to be known of an image that is let through, for people to read. */
  readonly onWarning?: (message: string) => void;
}

export interface PushOptions extends Operation, RegistryOptions {
  /** Images to send in the place of the one of that name: one as it is, several, each for another platform, as an index. */
  readonly images?: readonly string[];
  /** Send all tags of the repository that the name is. Neither with `images` nor with `platform`. */
  readonly allTags?: boolean;
  /** What the image has to be for. */
  readonly platform?: Platform;
  readonly onProgress?: (progress: Progress) => void;
}

/** What a registry has now. */
export interface PushedImage {
  /** Full name with tag. */
  readonly name: string;
  /** Of the manifest or index that the name stands for there. */
  readonly digest: string;
  /** Bytes of that. */
  readonly sizeBytes: number;
  readonly imageIds: readonly string[];
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
  /** For the image's history. */
  readonly comment?: string;
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
  /** Steps before this one that changed the config alone, oldest first; the history has them too. */
  readonly earlier?: readonly Pick<ImageStep, 'created' | 'createdBy' | 'comment'>[];
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

export interface TrimOptions extends Operation {
  /** Ids of images that stay as well. */
  readonly keep: readonly string[];
}

export interface CheckOptions extends LoadOptions {
  /** Take damaged images away, so that they can be fetched again. Default: tell of them. */
  readonly repair?: boolean;
}

export interface StoreCheck {
  /** How many layers were looked at. */
  readonly layers: number;
  readonly problems: readonly StoreProblem[];
  /** Names, or ids, of images that were taken away. */
  readonly removed: readonly string[];
}

/** Something in the store that is not what it should be. */
export interface StoreProblem {
  /** `disk` is of several layers, and is made of them again when it is needed. */
  readonly kind: 'catalog' | 'document' | 'layer' | 'disk';
  /** What it should have; empty for the catalog. */
  readonly digest: string;
  /** A phrase for people. */
  readonly reason: string;
  /** Names, or ids, of the images that need it. */
  readonly images: readonly string[];
  /** Whether it was taken away. What is in use is not. */
  readonly repaired: boolean;
}

export interface RootDisk {
  readonly imageId: string;
  readonly disk: DiskImage;
  /** Gives it back. Idempotent. */
  release(): Promise<void>;
}
