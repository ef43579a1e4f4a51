import { digestOf } from './digest.js';
import { containerConfigJson, type JsonObject } from './image-config.js';
import type { Blob } from './image-library.js';
import type { Layer } from './layer-library.js';
import type { ImageChange, ImageConfig, Platform } from '@a3s-box/core';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
export const TAR_LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';
export const GZIP_LAYER_TYPE = `${TAR_LAYER_TYPE}+gzip`;

/** Bytes and digest of a JSON document. */
export function jsonBlob(document: JsonObject): Blob {
  const bytes = Buffer.from(JSON.stringify(document));
  return { bytes, digest: digestOf(bytes) };
}

/** A manifest that names layers as uncompressed archives, which is what this store can write out. */
export function plainManifest(config: Blob, layers: readonly Layer[]): Blob & { mediaType: string } {
  const document = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: config.digest, size: config.bytes.length },
    layers: layers.map(({ diffId, tarBytes }) => ({ mediaType: TAR_LAYER_TYPE, digest: diffId, size: tarBytes })),
  };
  return { ...jsonBlob(document), mediaType: MANIFEST_TYPE };
}

export interface NewConfig {
  /** The config of the image below. */
  readonly base?: JsonObject;
  readonly platform: Platform;
  readonly config: ImageConfig;
  readonly diffIds: readonly string[];
  readonly created: string;
  readonly createdBy: string;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  /** Steps before that made no layer. */
  readonly earlier?: ImageChange['earlier'] | undefined;
  /** Whether the step added a layer. */
  readonly addsLayer: boolean;
}

/** The config document of an image made here (image-spec, config.md). */
export function newConfig(image: NewConfig): Blob {
  const past = image.base?.['history'];
  const history = Array.isArray(past) ? (past as unknown[]) : [];
  const earlier = (image.earlier ?? []).map(({ created, createdBy, comment }) => ({
    created,
    created_by: createdBy,
    comment,
    empty_layer: true,
  }));
  const step = {
    created: image.created,
    created_by: image.createdBy,
    ...(image.author === undefined ? {} : { author: image.author }),
    ...(image.comment === undefined ? {} : { comment: image.comment }),
    ...(image.addsLayer ? {} : { empty_layer: true }),
  };
  return jsonBlob({
    created: image.created,
    ...(image.author === undefined ? {} : { author: image.author }),
    architecture: image.platform.architecture,
    ...(image.platform.variant === undefined ? {} : { variant: image.platform.variant }),
    os: image.platform.os,
    config: containerConfigJson(image.config),
    rootfs: { type: 'layers', diff_ids: image.diffIds },
    history: [...history, ...earlier, step],
  });
}
