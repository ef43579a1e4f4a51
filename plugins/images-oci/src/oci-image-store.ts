import { readFileSync } from 'node:fs';
import {
  BoxError,
  type AdmitOptions,
  type CheckOptions,
  type Image,
  type ImageChange,
  type ImageFiles,
  type ImageReferrer,
  type ImageSource,
  type ImageStore,
  type ImageSummary,
  type ImportOptions,
  type LoadOptions,
  type LoginOptions,
  type Logger,
  type Operation,
  type PullOptions,
  type PushedImage,
  type PushOptions,
  type RegistryOptions,
  type RegistrySettings,
  type RemovedImage,
  type RemoveOptions,
  type RootDisk,
  type SignedImage,
  type SignOptions,
  type StoreCheck,
  type TrimOptions,
  type VerifiedImage,
  type VerifyOptions,
} from '@a3s-box/core';
import { LayeredFiles } from '@a3s-box/erofs';
import { Catalog, unlessFull } from './catalog.js';
import { checkStore } from './check-store.js';
import { EMPTY_CONFIG, parseConfig } from './image-config.js';
import { ImageLibrary } from './image-library.js';
import { ImagePolicies } from './image-policies.js';
import { admitImage, referrersOf, verifySignatures, type SignatureContext } from './image-signatures.js';
import { diskFailure } from './disk-failure.js';
import type { LayerLimits } from './layer-job.js';
import { LayerLibrary, type Layer, type StoreParts } from './layer-library.js';
import { LayerPlaces } from './layer-places.js';
import { cancelled, LayerWorkers } from './layer-workers.js';
import { signStored } from './image-signing.js';
import { loadArchive } from './load-archive.js';
import { loadDirectory } from './load-directory.js';
import { newConfig, plainManifest } from './manifest.js';
import { guestPlatform } from './platform.js';
import { pullImage } from './pull-image.js';
import { pushImages } from './push-image.js';
import { fullName, parseReference } from './reference.js';
import { checkLogin, DEFAULT_PATIENCE, type RegistryPatience } from './registries.js';
import { endpointsOf } from './registry-address.js';
import { removeImage } from './remove-image.js';
import { RootDisks } from './root-disks.js';
import { saveArchive, type SavedImage } from './save-archive.js';
import { prepareDirectories } from './store-directory.js';
import { StorePaths } from './store-paths.js';
import { sweep } from './sweep.js';
import { trimStore } from './trim-store.js';
import { Turns } from './turns.js';
import { Work } from './work.js';

export interface OciImageStoreOptions {
  /** The store's own directory; made when absent. */
  readonly directory: string;
  readonly logger: Logger;
  readonly limits?: Partial<LayerLimits>;
  /** Most bytes of all layers of an image that is fetched, as they are sent. Default 256 GiB. */
  readonly maxImageBytes?: number;
  readonly patience?: Partial<RegistryPatience>;
  /** Most bytes of all layers and disks, which {@link OciImageStore.trim} keeps to. Default: as many as there are. */
  readonly maxStoreBytes?: number;
  /** An image policy that holds beside the user's: a document as of image-policy.schema.json, with absolute paths. */
  readonly policy?: unknown;
}

const DEFAULT_LIMITS: LayerLimits = { maxBytes: 256 * 2 ** 30, maxEntries: 4_000_000 };
const MAX_IMAGE_BYTES = 256 * 2 ** 30;

/** What is asked of registries, and how. */
interface RegistryUse {
  readonly patience: RegistryPatience;
  readonly maxImageBytes: number;
  readonly policies: ImagePolicies;
}

/** The ImageStore port on a directory with an OCI layout, EROFS files for layers, and a catalog. */
export class OciImageStore implements ImageStore, AsyncDisposable {
  private readonly catalog: Catalog;
  private readonly paths: StorePaths;
  private readonly layers: LayerLibrary;
  private readonly images: ImageLibrary;
  private readonly rootDisks: RootDisks;

  private readonly fetching = new Turns();
  private readonly signatures: SignatureContext;
  private readonly places: LayerPlaces;

  private constructor(
    private readonly parts: StoreParts,
    private readonly registryUse: RegistryUse,
    private readonly maxStoreBytes: number,
  ) {
    const { catalog, paths, workers } = parts;
    this.catalog = catalog;
    this.paths = paths;
    this.layers = new LayerLibrary(parts);
    this.images = new ImageLibrary(catalog, paths);
    this.places = new LayerPlaces(catalog);
    this.rootDisks = new RootDisks(catalog, paths, workers);
    this.signatures = { images: this.images, ...registryUse };
  }

  /** Opens a store, makes it when there is none, and clears away what crashed processes left. */
  static async open(options: OciImageStoreOptions): Promise<OciImageStore> {
    const paths = new StorePaths(options.directory);
    await prepareDirectories(paths);
    const catalog = Catalog.open(paths.catalog);
    const { limits, logger, patience, maxImageBytes = MAX_IMAGE_BYTES, policy } = options;
    const store = new OciImageStore(
      { catalog, paths, workers: new LayerWorkers(), limits: { ...DEFAULT_LIMITS, ...limits }, logger },
      {
        patience: { ...DEFAULT_PATIENCE, ...patience },
        maxImageBytes,
        policies: new ImagePolicies(policy, paths.trustRoots),
      },
      options.maxStoreBytes ?? Infinity,
    );
    // What is left over must not keep a store shut from which something can be removed.
    unlessFull(() => sweep(catalog, paths));
    return store;
  }

  list({ signal }: Operation): Promise<readonly ImageSummary[]> {
    return guarded(signal, async () => this.images.list());
  }

  inspect(reference: string, { signal }: Operation): Promise<Image> {
    return guarded(signal, async () => this.images.image(this.images.resolve(reference)));
  }

  tag(reference: string, name: string, { signal }: Operation): Promise<void> {
    return guarded(signal, async () => this.images.tag(this.images.resolve(reference), fullName(name)));
  }

  commit(change: ImageChange, { signal, onProgress }: LoadOptions): Promise<Image> {
    return guarded(signal, async () => {
      const names = change.name === undefined ? [] : [fullName(change.name)];
      const base = change.base === undefined ? undefined : this.images.image(this.images.resolve(change.base));
      await using work = await Work.begin(this.catalog, this.paths);
      const layers: Layer[] = (base?.diffIds ?? []).map((diffId) => this.held(diffId, work));
      if (change.layer !== undefined) {
        const layer = await this.layers.add({ source: change.layer, signal }, {}, work);
        layers.push(layer);
        onProgress?.({ item: layer.diffId.slice(7, 19), phase: 'done', done: layer.tarBytes, total: layer.tarBytes });
      }
      const baseDocument =
        base === undefined ? undefined : parseConfig(readFileSync(this.paths.blob(base.id))).document;
      const config = newConfig({
        ...(baseDocument === undefined ? {} : { base: baseDocument }),
        platform: base?.platform ?? change.platform ?? guestPlatform(),
        config: change.config,
        diffIds: layers.map(({ diffId }) => diffId),
        created: change.created,
        createdBy: change.createdBy,
        earlier: change.earlier,
        author: change.author,
        comment: change.comment,
        addsLayer: change.layer !== undefined,
      });
      return this.images.add({ config, manifest: plainManifest(config, layers), names }, work);
    });
  }

  rootDisk(imageId: string, { signal }: Operation): Promise<RootDisk> {
    return guarded(signal, () => this.rootDisks.take(imageId, signal));
  }

  files(imageId: string, { signal }: Operation): Promise<ImageFiles> {
    return guarded(signal, async () => {
      // Only until they are open: what is removed later can still be read.
      await using work = await Work.begin(this.catalog, this.paths);
      const { layers } = this.whole(this.images.resolve(imageId), work);
      return await LayeredFiles.open(layers.map(({ diffId }) => this.paths.layerFile(diffId)));
    });
  }

  pull(reference: string, options: PullOptions): Promise<Image> {
    return guarded(options.signal, async () => {
      await using work = await Work.begin(this.catalog, this.paths);
      const { layers, images, fetching, places } = this;
      return await pullImage(reference, { layers, images, work, fetching, places, ...this.registryUse }, options);
    });
  }

  push(name: string, options: PushOptions): Promise<readonly PushedImage[]> {
    return guarded(options.signal, async () => {
      await using work = await Work.begin(this.catalog, this.paths);
      const { images, paths, places } = this;
      const hold = (id: string): SavedImage => this.whole(id, work);
      return await pushImages(name, { images, paths, places, work, hold, ...this.registryUse }, options);
    });
  }

  registriesOf(reference: string, settings?: RegistrySettings): readonly string[] {
    const endpoints = endpointsOf(parseReference(reference), settings === undefined ? {} : { settings });
    return [...new Set(endpoints.map(({ registry }) => registry))];
  }

  login(options: LoginOptions): Promise<void> {
    return guarded(options.signal, () => checkLogin(options, this.registryUse.patience));
  }

  admit(reference: string, options: AdmitOptions): Promise<void> {
    return guarded(options.signal, () => admitImage(reference, this.signatures, options));
  }

  verify(reference: string, options: VerifyOptions): Promise<VerifiedImage> {
    return guarded(options.signal, () => verifySignatures(reference, this.signatures, options));
  }

  sign(reference: string, options: SignOptions): Promise<SignedImage> {
    return guarded(options.signal, () => signStored(reference, this.signatures, options));
  }

  referrers(reference: string, options: Operation & RegistryOptions): Promise<readonly ImageReferrer[]> {
    return guarded(options.signal, () => referrersOf(reference, this.signatures, options));
  }

  load(source: ImageSource, options: LoadOptions): Promise<readonly Image[]> {
    return guarded(options.signal, async () => {
      await using work = await Work.begin(this.catalog, this.paths);
      const context = { layers: this.layers, images: this.images, work };
      return await (source.kind === 'archive'
        ? loadArchive(source.stream, context, options)
        : loadDirectory(source.path, context, options));
    });
  }

  import(tar: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<Image> {
    return guarded(options.signal, async () => {
      const names = options.name === undefined ? [] : [fullName(options.name)];
      await using work = await Work.begin(this.catalog, this.paths);
      const layer = await this.layers.add({ source: tar, signal: options.signal }, {}, work);
      const { diffId, tarBytes } = layer;
      options.onProgress?.({ item: diffId.slice(7, 19), phase: 'done', done: tarBytes, total: tarBytes });
      const config = newConfig({
        platform: options.platform ?? guestPlatform(),
        config: { ...EMPTY_CONFIG, ...options.config },
        diffIds: [diffId],
        created: new Date().toISOString(),
        createdBy: 'a3s-box import',
        comment: options.comment,
        addsLayer: true,
      });
      return this.images.add({ config, manifest: plainManifest(config, [layer]), names }, work);
    });
  }

  remove(reference: string, { signal, force }: RemoveOptions): Promise<RemovedImage> {
    return guarded(signal, async () => {
      const { catalog, paths, images } = this;
      return removeImage(reference, force ?? false, { catalog, paths, images });
    });
  }

  trim({ keep, signal }: TrimOptions): Promise<readonly RemovedImage[]> {
    const { catalog, paths, images } = this;
    return guarded(signal, async () => trimStore({ catalog, paths, images }, this.maxStoreBytes, keep));
  }

  check(options: CheckOptions): Promise<StoreCheck> {
    return guarded(options.signal, () => checkStore({ ...this.parts, layers: this.layers }, options));
  }

  async *save(references: readonly string[], { signal }: Operation): AsyncGenerator<Uint8Array> {
    await using work = await Work.begin(this.catalog, this.paths);
    const ids = new Set(references.map((reference) => this.images.resolve(reference)));
    const saved = [...ids].map((id) => this.whole(id, work));
    for await (const chunk of saveArchive(saved, this.paths)) {
      if (signal.aborted) throw cancelled(signal);
      yield chunk;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.workers[Symbol.asyncDispose]();
    this.catalog[Symbol.dispose]();
  }

  private whole(id: string, work: Work): SavedImage {
    const image = this.images.image(id);
    return { image, layers: image.diffIds.map((diffId) => this.held(diffId, work)) };
  }

  private held(diffId: string, work: Work): Layer {
    const layer = this.layers.hold(diffId, work);
    if (layer === undefined) throw new BoxError('IMAGE_CORRUPT', `layer ${diffId} is missing from the store`);
    return layer;
  }
}

/** Turns what a cancelled operation throws into CANCELLED, and a full disk into DISK_FULL. */
async function guarded<T>(signal: AbortSignal, operation: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw cancelled(signal);
  try {
    return await operation();
  } catch (error) {
    if (signal.aborted) throw cancelled(signal);
    throw diskFailure(error);
  }
}
