import { readFileSync } from 'node:fs';
import {
  BoxError,
  type Image,
  type ImageChange,
  type ImageSource,
  type ImageStore,
  type ImageSummary,
  type ImportOptions,
  type LoadOptions,
  type Logger,
  type Operation,
  type PullOptions,
  type RemovedImage,
  type RemoveOptions,
  type RootDisk,
} from '@a3s-box/core';
import { Catalog } from './catalog.js';
import { EMPTY_CONFIG, parseConfig } from './image-config.js';
import { ImageLibrary } from './image-library.js';
import { diskFailure } from './disk-failure.js';
import type { LayerLimits } from './layer-job.js';
import { LayerLibrary, type Layer, type StoreParts } from './layer-library.js';
import { cancelled, LayerWorkers } from './layer-workers.js';
import { loadArchive } from './load-archive.js';
import { loadDirectory } from './load-directory.js';
import { newConfig, plainManifest } from './manifest.js';
import { guestPlatform } from './platform.js';
import { pullImage } from './pull-image.js';
import { fullName } from './reference.js';
import { removeImage } from './remove-image.js';
import { RootDisks } from './root-disks.js';
import { saveArchive } from './save-archive.js';
import { prepareDirectories } from './store-directory.js';
import { StorePaths } from './store-paths.js';
import { sweep } from './sweep.js';
import { Work } from './work.js';

export interface OciImageStoreOptions {
  /** The store's own directory; made when absent. */
  readonly directory: string;
  readonly logger: Logger;
  readonly limits?: Partial<LayerLimits>;
}

const DEFAULT_LIMITS: LayerLimits = { maxBytes: 256 * 2 ** 30, maxEntries: 4_000_000 };

/** The ImageStore port on a directory with an OCI layout, EROFS files for layers, and a catalog. */
export class OciImageStore implements ImageStore, AsyncDisposable {
  private readonly catalog: Catalog;
  private readonly paths: StorePaths;
  private readonly layers: LayerLibrary;
  private readonly images: ImageLibrary;
  private readonly rootDisks: RootDisks;

  private constructor(private readonly parts: StoreParts) {
    const { catalog, paths, workers } = parts;
    this.catalog = catalog;
    this.paths = paths;
    this.layers = new LayerLibrary(parts);
    this.images = new ImageLibrary(catalog, paths);
    this.rootDisks = new RootDisks(catalog, paths, workers);
  }

  /** Opens a store, makes it when there is none, and clears away what crashed processes left. */
  static async open(options: OciImageStoreOptions): Promise<OciImageStore> {
    const paths = new StorePaths(options.directory);
    await prepareDirectories(paths);
    const catalog = Catalog.open(paths.catalog);
    const store = new OciImageStore({
      catalog,
      paths,
      workers: new LayerWorkers(),
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      logger: options.logger,
    });
    sweep(catalog, paths);
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

  pull(reference: string, options: PullOptions): Promise<Image> {
    return guarded(options.signal, async () => {
      await using work = await Work.begin(this.catalog, this.paths);
      return await pullImage(reference, { layers: this.layers, images: this.images, work }, options);
    });
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

  async *save(references: readonly string[], { signal }: Operation): AsyncGenerator<Uint8Array> {
    await using work = await Work.begin(this.catalog, this.paths);
    const ids = new Set(references.map((reference) => this.images.resolve(reference)));
    const saved = [...ids].map((id) => {
      const image = this.images.image(id);
      return { image, layers: image.diffIds.map((diffId) => this.held(diffId, work)) };
    });
    for await (const chunk of saveArchive(saved, this.paths)) {
      if (signal.aborted) throw cancelled(signal);
      yield chunk;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.parts.workers[Symbol.asyncDispose]();
    this.catalog[Symbol.dispose]();
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
