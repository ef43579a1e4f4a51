import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Catalog } from './catalog.js';
import type { StorePaths } from './store-paths.js';
import { writeDurably } from './durable-files.js';

const LAYOUT = `${JSON.stringify({ imageLayoutVersion: '1.0.0' })}\n`;

/**
 * Brings `index.json` of the OCI layout up to the catalog, which is the truth. Call in a transaction, or not at all:
 * that orders writers.
 */
export function syncIndex(catalog: Catalog, paths: StorePaths): void {
  keep(paths.layoutFile, join(paths.work, 'oci-layout.new'), LAYOUT);
  keep(paths.index, join(paths.work, 'index.new'), indexJson(catalog));
}

function keep(path: string, temporary: string, text: string): void {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  writeDurably(path, temporary, text);
}

function indexJson(catalog: Catalog): string {
  const rows = catalog.all(
    `SELECT manifest_digest, manifest_type, manifest_bytes, os, architecture, variant, name
     FROM images LEFT JOIN names ON names.image_id = images.id ORDER BY sequence, name`,
  );
  const manifests = rows.map((row) => ({
    mediaType: row['manifest_type'],
    digest: row['manifest_digest'],
    size: row['manifest_bytes'],
    platform: {
      os: row['os'],
      architecture: row['architecture'],
      ...(row['variant'] === null ? {} : { variant: row['variant'] }),
    },
    ...(row['name'] === null ? {} : { annotations: nameAnnotations(String(row['name'])) }),
  }));
  return `${JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests })}\n`;
}

/** The tag as the spec has it, and the full name as containerd and Docker write it. */
export function nameAnnotations(name: string): Readonly<Record<string, string>> {
  return {
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
  };
}
