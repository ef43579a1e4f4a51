import { BoxError } from '../errors/box-error.js';
import { decodeItems } from '../files/file-items.js';
import { EventLog } from '../events/event-log.js';
import { itemsToTar } from '../files/items-to-tar.js';
import { inject, injectable } from '../kernel/container.js';
import type { Image, ImageConfig, ImageStore } from '../ports/image-store.js';
import type { Operation } from '../ports/operation.js';
import { ImageStoreToken } from '../service-tokens.js';
import type { Box } from './box.js';
import { tellOf } from './box-events.js';
import { BoxFiles } from './box-files.js';
import { applyChanges } from './config-changes.js';
import { imageHealthcheckOf } from './health-check.js';
import { mergeEnvironment } from './oci-config.js';

export interface CommitOptions extends Operation {
  /** Of the image. */
  readonly name?: string;
  readonly author?: string;
  readonly message?: string;
  /** Dockerfile instructions that change the config, in their order. */
  readonly changes: readonly string[];
  /** Whether the processes of a running box stand still meanwhile. */
  readonly pause: boolean;
}

/** Makes images of boxes. */
@injectable()
export class BoxCommits {
  constructor(
    private readonly files: BoxFiles,
    private readonly events: EventLog,
    @inject(ImageStoreToken) private readonly images: ImageStore,
  ) {}

  /**
   * A box's image with what has changed in the box as one more layer, and with the box's own settings in its config.
   * @throws CONFLICT for a box that stands still, INVALID_ARGUMENT, UNSUPPORTED, DISK_FULL
   */
  async commit(box: Box, { name, author, message, changes, pause, signal }: CommitOptions): Promise<Image> {
    const config = applyChanges(configOf(box), changes);
    const layer = this.files.layer(box, pause, { signal })[Symbol.asyncIterator]();
    try {
      const first = await layer.next();
      const items = first.done ? undefined : decodeItems(beginningWith(first.value, layer));
      const made = await this.images.commit(
        {
          base: box.image.id,
          config,
          created: new Date().toISOString(),
          createdBy: createdBy(config),
          ...(items && { layer: itemsToTar(items) }),
          ...(name !== undefined && { name }),
          ...(author !== undefined && { author }),
          ...(message !== undefined && { comment: message }),
        },
        { signal },
      );
      this.events.tell(tellOf(box, 'commit', { imageID: made.id, imageRef: name ?? '', comment: message ?? '' }));
      return made;
    } catch (error) {
      throw explained(error, box);
    } finally {
      // What the store did not take, the guest need not send.
      await layer.return?.();
    }
  }
}

async function* beginningWith<T>(first: T, rest: AsyncIterator<T>): AsyncGenerator<T, void, void> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

/** The image's config with what was asked for with the box. */
export function configOf({ spec, image }: Pick<Box, 'spec' | 'image'>): ImageConfig {
  const { config } = image;
  const cmd = spec.command ?? (spec.entrypoint === undefined ? config.cmd : undefined);
  const entrypoint = spec.entrypoint ?? config.entrypoint;
  const user = spec.user ?? config.user;
  const workingDir = spec.workingDirectory ?? config.workingDir;
  const stopSignal = spec.stopSignal ?? config.stopSignal;
  const healthcheck = imageHealthcheckOf(spec.healthcheck, config.healthcheck);
  const { cmd: _cmd, entrypoint: _entrypoint, ...rest } = config;
  const ports = (spec.ports ?? []).map(({ guestPort, protocol }) => `${guestPort}/${protocol}`);
  return {
    ...rest,
    env: mergeEnvironment(config.env, spec.environment),
    exposedPorts: [...new Set([...config.exposedPorts, ...ports])].sort(),
    labels: { ...config.labels, ...spec.labels },
    ...(cmd && { cmd }),
    ...(entrypoint && entrypoint.length > 0 && { entrypoint }),
    ...(user !== undefined && { user }),
    ...(workingDir !== undefined && { workingDir }),
    ...(stopSignal !== undefined && { stopSignal }),
    ...(healthcheck && { healthcheck }),
  };
}

/** For the history, as Docker writes it: what ran in the box. */
function createdBy({ entrypoint = [], cmd = [] }: ImageConfig): string {
  return [...entrypoint, ...cmd].join(' ');
}

function explained(error: unknown, { name, image }: Box): unknown {
  if (!(error instanceof BoxError) || error.code !== 'IMAGE_NOT_FOUND') return error;
  return new BoxError('IMAGE_NOT_FOUND', `the image of box "${name}" is gone: ${image.id}`, {
    hint: "'a3s-box export' gives what the box has",
    cause: error,
  });
}
