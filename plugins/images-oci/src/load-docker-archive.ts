import { BoxError, type Image } from '@a3s-box/core';
import { checkDigest, digestOf } from './digest.js';
import { assembleImage, type LayerProvider } from './image-assembly.js';
import { isObject } from './image-config.js';
import type { ArchiveContent, LoadContext } from './load-archive.js';
import { quoted } from './quoted.js';
import { fullName } from './reference.js';

/**
 * Loads the images of a docker-archive.
 * @param manifest the bytes of its manifest.json
 * @throws IMAGE_CORRUPT and INVALID_REFERENCE
 */
export async function loadDockerArchive(
  manifest: Uint8Array,
  content: ArchiveContent,
  { images, work }: LoadContext,
): Promise<Image[]> {
  const loaded: Image[] = [];
  for (const { config: configPath, names, layers } of parseDockerManifest(manifest)) {
    const config = content.document(configPath);
    if (config === undefined) throw malformed(`lacks the config ${quoted(configPath)}`);
    const named = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(configPath)?.[1];
    if (named !== undefined) checkDigest('image config', `sha256:${named}`, digestOf(config));
    const layer: LayerProvider = async (expected, index) => {
      const path = layers[index];
      if (path === undefined) throw malformed('lists fewer layers than the config');
      return content.layerAt(path, expected);
    };
    loaded.push(await assembleImage({ config, names, layer }, images, work));
  }
  return loaded;
}

export interface DockerManifestEntry {
  readonly config: string;
  readonly names: readonly string[];
  readonly layers: readonly string[];
}

/** The list of images of a docker-archive, its manifest.json. @throws IMAGE_CORRUPT, INVALID_REFERENCE */
export function parseDockerManifest(bytes: Uint8Array): DockerManifestEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw malformed('has a manifest.json that is no JSON', error);
  }
  if (!Array.isArray(value) || value.length === 0) throw malformed('has a manifest.json that lists no images');
  return value.map((entry: unknown) => {
    if (!isObject(entry)) throw malformed('has a manifest.json with an entry that is no object');
    const { Config: config, RepoTags: tags, Layers: layers } = entry;
    if (typeof config !== 'string' || !isTexts(layers) || !(tags === null || tags === undefined || isTexts(tags))) {
      throw malformed('has a manifest.json with a malformed entry');
    }
    return { config, names: (tags ?? []).map((tag) => fullName(tag)), layers };
  });
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function malformed(what: string, cause?: unknown): BoxError {
  return new BoxError('IMAGE_CORRUPT', `docker-archive ${what}`, {
    hint: 'make the archive again',
    ...(cause === undefined ? {} : { cause }),
  });
}
