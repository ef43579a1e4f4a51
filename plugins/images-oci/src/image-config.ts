import { BoxError, type ImageConfig, type ImageHealthcheck, type Platform } from '@a3s-box/core';
import { isDigest } from './digest.js';
import { quoted } from './quoted.js';

/** Most layers of an image. */
export const MAX_LAYERS = 1024;

/** What the store reads from an OCI image config (image-spec, config.md). */
export interface ParsedConfig {
  readonly platform: Platform;
  readonly created?: string;
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
  /** The whole document, for what a commit keeps. */
  readonly document: JsonObject;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** @throws IMAGE_CORRUPT when it is no JSON object */
export function parseJsonObject(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw corruptConfig(`${what} is no JSON`, error);
  }
  if (!isObject(value)) throw corruptConfig(`${what} is no JSON object`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a value can be part of a platform: a word of letters, digits and `._-`, or nothing. */
export function isPlatformWord(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z0-9._-]{0,64}$/.test(value);
}

/** Parses an image config. @throws IMAGE_CORRUPT when a field that is used has a wrong type, LIMIT_EXCEEDED */
export function parseConfig(bytes: Uint8Array): ParsedConfig {
  const document = parseJsonObject(bytes, 'image config');
  const { os, architecture, variant, created, rootfs } = document;
  if (typeof os !== 'string' || typeof architecture !== 'string') {
    throw corruptConfig('image config does not say its platform');
  }
  if (![os, architecture, variant ?? ''].every(isPlatformWord)) {
    throw corruptConfig('image config names a platform that is none');
  }
  const diffIds = isObject(rootfs) ? rootfs['diff_ids'] : undefined;
  if (!Array.isArray(diffIds) || !diffIds.every(isDigest)) {
    throw corruptConfig('image config does not list its layers as sha256 digests');
  }
  if (diffIds.length > MAX_LAYERS) throw new BoxError('LIMIT_EXCEEDED', `image has more than ${MAX_LAYERS} layers`);
  const inner = document['config'] ?? {};
  if (!isObject(inner)) throw corruptConfig('image config has a "config" that is no object');
  return {
    platform: { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) },
    ...(typeof created === 'string' ? { created } : {}),
    diffIds,
    config: parseContainerConfig(inner),
    document,
  };
}

function parseContainerConfig(inner: JsonObject): ImageConfig {
  const entrypoint = strings(inner, 'Entrypoint');
  const cmd = strings(inner, 'Cmd');
  const user = text(inner, 'User');
  const workingDir = text(inner, 'WorkingDir');
  const stopSignal = text(inner, 'StopSignal');
  const healthcheck = parseHealthcheck(inner['Healthcheck']);
  const onBuild = strings(inner, 'OnBuild');
  return {
    env: strings(inner, 'Env') ?? [],
    exposedPorts: keys(inner, 'ExposedPorts'),
    volumes: keys(inner, 'Volumes'),
    labels: labels(inner),
    ...(user === undefined ? {} : { user }),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(cmd === undefined ? {} : { cmd }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(healthcheck === undefined ? {} : { healthcheck }),
    ...(onBuild === undefined || onBuild.length === 0 ? {} : { onBuild }),
  };
}

function parseHealthcheck(value: unknown): ImageHealthcheck | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw corruptConfig('image config has a "Healthcheck" that is no object');
  const test = strings(value, 'Test') ?? [];
  if (test.length === 0) return undefined;
  const number = (key: string): number | undefined => {
    const field = value[key];
    if (field === undefined || field === 0) return undefined;
    if (typeof field !== 'number' || !Number.isInteger(field) || field < 0) {
      throw corruptConfig(`image config has a health check whose "${key}" is no number`);
    }
    return field;
  };
  const intervalNs = number('Interval');
  const timeoutNs = number('Timeout');
  const startPeriodNs = number('StartPeriod');
  const startIntervalNs = number('StartInterval');
  const retries = number('Retries');
  return {
    test,
    ...(intervalNs === undefined ? {} : { intervalNs }),
    ...(timeoutNs === undefined ? {} : { timeoutNs }),
    ...(startPeriodNs === undefined ? {} : { startPeriodNs }),
    ...(startIntervalNs === undefined ? {} : { startIntervalNs }),
    ...(retries === undefined ? {} : { retries }),
  };
}

/** Writes the part of a config that {@link ImageConfig} covers, in the spec's spelling. */
export function containerConfigJson(config: ImageConfig): JsonObject {
  const healthcheck = config.healthcheck;
  return compact({
    User: config.user,
    ExposedPorts: keyed(config.exposedPorts),
    Env: config.env.length > 0 ? config.env : undefined,
    Entrypoint: config.entrypoint,
    Cmd: config.cmd,
    Volumes: keyed(config.volumes),
    WorkingDir: config.workingDir,
    Labels: Object.keys(config.labels).length > 0 ? config.labels : undefined,
    StopSignal: config.stopSignal,
    OnBuild: config.onBuild,
    Healthcheck:
      healthcheck === undefined
        ? undefined
        : compact({
            Test: healthcheck.test,
            Interval: healthcheck.intervalNs,
            Timeout: healthcheck.timeoutNs,
            StartPeriod: healthcheck.startPeriodNs,
            StartInterval: healthcheck.startIntervalNs,
            Retries: healthcheck.retries,
          }),
  });
}

export const EMPTY_CONFIG: ImageConfig = { env: [], exposedPorts: [], volumes: [], labels: {} };

function compact(fields: Record<string, unknown>): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function keyed(names: readonly string[]): JsonObject | undefined {
  return names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, {}]));
}

function strings(object: JsonObject, key: string): string[] | undefined {
  const value = object[key];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw corruptConfig(`image config has a "${key}" that is no list of strings`);
  }
  return value;
}

function text(object: JsonObject, key: string): string | undefined {
  const value = object[key];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw corruptConfig(`image config has a "${key}" that is no string`);
  return value;
}

function keys(object: JsonObject, key: string): string[] {
  const value = object[key];
  if (value === undefined || value === null) return [];
  if (!isObject(value)) throw corruptConfig(`image config has a "${key}" that is no object`);
  return Object.keys(value).toSorted();
}

function labels(object: JsonObject): Record<string, string> {
  const value = object['Labels'];
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw corruptConfig('image config has "Labels" that are no object');
  for (const [key, label] of Object.entries(value)) {
    if (typeof label !== 'string') throw corruptConfig(`image config has a label ${quoted(key)} that is no string`);
  }
  return value as Record<string, string>;
}

function corruptConfig(message: string, cause?: unknown): BoxError {
  return new BoxError('IMAGE_CORRUPT', message, {
    hint: 'fetch or build the image again',
    ...(cause === undefined ? {} : { cause }),
  });
}
