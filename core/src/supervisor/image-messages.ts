import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import { applyChanges } from '../box/config-changes.js';
import { BoxError } from '../errors/box-error.js';
import {
  ImageConfig as ImageConfigMessage,
  ImageRecord,
  ImageStep as ImageStepMessage,
  StoreCheck as StoreCheckMessage,
  type ImageProgress,
  type ImportOptions as ImportOptionsMessage,
} from '../gen/a3s/box/supervisor/v1/supervisor.js';
import type {
  ImageConfig,
  ImageStep,
  ImageSummary,
  ImportOptions,
  Platform,
  StoreCheck,
} from '../ports/image-store.js';
import type { Progress } from '../ports/operation.js';
import { writeMessage } from './grpc-handlers.js';

export function imageRecordOf(image: ImageSummary): ImageRecord {
  const { os, architecture, variant } = image.platform;
  return ImageRecord.create({
    id: image.id,
    digest: image.digest,
    names: [...image.names],
    platform: [os, architecture, variant].filter(Boolean).join('/'),
    created: image.created ?? '',
    sizeBytes: BigInt(image.sizeBytes),
    repoDigests: [...image.repoDigests],
  });
}

export function imageStepOf({ created = '', createdBy = '', comment = '', sizeBytes }: ImageStep): ImageStepMessage {
  return ImageStepMessage.create({ created, createdBy, comment, sizeBytes: BigInt(sizeBytes) });
}

export function storeCheckOf({ layers, problems, removed }: StoreCheck): StoreCheckMessage {
  return StoreCheckMessage.create({
    layers,
    problems: problems.map((problem) => ({ ...problem, images: [...problem.images] })),
    removed: [...removed],
  });
}

/** @param text os/architecture[/variant] @throws INVALID_ARGUMENT */
export function platformFrom(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  if (!os || !architecture || rest.length > 0) {
    throw new BoxError('INVALID_ARGUMENT', `platform "${text}" is not valid`, { hint: 'give one such as linux/arm64' });
  }
  return { os, architecture, ...(variant ? { variant } : {}) };
}

export function imageConfigOf(config: ImageConfig): ImageConfigMessage {
  return ImageConfigMessage.create({
    user: config.user ?? '',
    environment: [...config.env],
    entrypoint: [...(config.entrypoint ?? [])],
    command: [...(config.cmd ?? [])],
    workingDirectory: config.workingDir ?? '',
    exposedPorts: [...config.exposedPorts],
    volumes: [...config.volumes],
    labels: { ...config.labels },
    stopSignal: config.stopSignal ?? '',
  });
}

/** @throws INVALID_ARGUMENT, and UNSUPPORTED for an instruction that is none of a config */
export function importOptionsFrom(message: ImportOptionsMessage): Omit<ImportOptions, 'signal'> {
  const { name, config, changes, message: comment, platform } = message;
  const given = { ...EMPTY_CONFIG, ...(config && imageConfigFrom(config)) };
  return {
    config: applyChanges(given, changes),
    ...(name && { name }),
    ...(comment && { comment }),
    ...(platform && { platform: platformFrom(platform) }),
  };
}

const EMPTY_CONFIG: ImageConfig = { env: [], exposedPorts: [], volumes: [], labels: {} };

function imageConfigFrom(message: ImageConfigMessage): Partial<ImageConfig> {
  const { user, environment, entrypoint, command, workingDirectory, exposedPorts, volumes, labels, stopSignal } =
    message;
  return {
    env: environment,
    exposedPorts,
    volumes,
    labels,
    ...(user && { user }),
    ...(entrypoint.length > 0 && { entrypoint }),
    ...(command.length > 0 && { cmd: command }),
    ...(workingDirectory && { workingDir: workingDirectory }),
    ...(stopSignal && { stopSignal }),
  };
}

/**
 * Sends progress no faster than the client takes it: of what came up meanwhile, the newest of each item is kept.
 */
export class ProgressWriter {
  readonly #waiting = new Map<string, Progress>();
  #sending: Promise<void> | undefined;

  constructor(
    private readonly call: ServerWritableStream<unknown, ImageProgress> | ServerDuplexStream<unknown, ImageProgress>,
  ) {}

  readonly report = (progress: Progress): void => {
    this.#waiting.set(progress.item, progress);
    this.#sending ??= this.#send();
  };

  /** Returns when everything was sent. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  async #send(): Promise<void> {
    for (const [item, { phase, done, total }] of this.#waiting) {
      this.#waiting.delete(item);
      await writeMessage(this.call, {
        progress: {
          $case: 'step',
          value: { item, phase, doneBytes: BigInt(done), totalBytes: BigInt(total ?? 0) },
        },
      });
    }
    this.#sending = undefined;
  }
}
