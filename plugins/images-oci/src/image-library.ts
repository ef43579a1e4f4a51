import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BoxError, type Image, type ImageStep, type ImageSummary } from '@a3s-box/core';
import { unlessFull, type Catalog, type Row } from './catalog.js';
import { digestOf } from './digest.js';
import { parseConfig, type JsonObject } from './image-config.js';
import { parseHistory } from './image-history.js';
import { syncIndex } from './layout-index.js';
import { parseReference, repositoryOf } from './reference.js';
import type { StorePaths } from './store-paths.js';
import { writeDurably } from './durable-files.js';
import type { Work } from './work.js';

/** A document of an image as it is kept: the exact bytes. */
export interface Blob {
  readonly bytes: Uint8Array;
  readonly digest: string;
}

export interface NewImage {
  readonly config: Blob;
  readonly manifest: Blob & { readonly mediaType: string };
  /** Full names to give it. */
  readonly names: readonly string[];
  /** Digests under which it was asked for, with their repositories. */
  readonly digests?: readonly { readonly repository: string; readonly digest: string }[];
  /** Rules of image policies that it fulfils, with the repositories for which it does. */
  readonly admissions?: readonly RepositoryRule[];
}

/** A rule of an image policy that an image fulfils in a repository. */
export interface RepositoryRule {
  readonly repository: string;
  readonly rule: string;
}

/** The images of a store, their names and documents. */
export class ImageLibrary {
  constructor(
    private readonly catalog: Catalog,
    private readonly paths: StorePaths,
  ) {}

  /**
   * Makes an image visible, all of it at once. Its layers must be held by the work.
   * An image that is there already gets the names.
   */
  add(image: NewImage, work: Work): Image {
    const parsed = parseConfig(image.config.bytes);
    const id = image.config.digest;
    this.catalog.transaction(() => {
      for (const blob of [image.config, image.manifest]) this.keepBlob(blob, work);
      const { platform, created } = parsed;
      const added = this.catalog.run(
        `INSERT OR IGNORE INTO images (id, manifest_digest, manifest_type, manifest_bytes, disk_key, os, architecture, variant, created)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        id,
        image.manifest.digest,
        image.manifest.mediaType,
        image.manifest.bytes.length,
        diskKey(parsed.diffIds),
        platform.os,
        platform.architecture,
        platform.variant ?? null,
        created ?? null,
      );
      if (added > 0) {
        parsed.diffIds.forEach((diffId, position) => {
          this.catalog.run(
            'INSERT INTO image_layers (image_id, position, diff_id) VALUES (?, ?, ?)',
            id,
            position,
            diffId,
          );
        });
      }
      this.markUsed(id);
      for (const name of image.names) this.giveName(name, id);
      for (const { repository, digest } of image.digests ?? []) this.putDigest(id, repository, digest);
      for (const admission of image.admissions ?? []) this.keepAdmission(id, admission);
      syncIndex(this.catalog, this.paths);
    });
    return this.image(id);
  }

  /** Remembers which rules an image fulfils. */
  admit(id: string, admissions: readonly RepositoryRule[]): void {
    if (admissions.length === 0) return;
    this.catalog.transaction(() => {
      for (const admission of admissions) this.keepAdmission(id, admission);
    });
  }

  /** Rules that an image is known to fulfil in a repository. */
  admissions(id: string, repository: string): ReadonlySet<string> {
    const rows = this.catalog.all('SELECT rule FROM admissions WHERE image_id = ? AND repository = ?', id, repository);
    return new Set(rows.map(({ rule }) => String(rule)));
  }

  /** The digests that led to an image in a repository, its manifest's last. */
  digestsAt(id: string, repository: string): readonly string[] {
    const { digest } = this.image(id);
    const rows = this.catalog.all('SELECT digest FROM digests WHERE image_id = ? AND repository = ?', id, repository);
    return [...rows.map((row) => String(row['digest'])).filter((it) => it !== digest), digest];
  }

  /**
   * The repositories in which a reference may mean an image of the store: the one that it names, else all that the image
   * has a name in or came from.
   */
  repositoriesMeant(reference: string, id: string): readonly string[] {
    const named = this.byName(reference) === id ? [repositoryOf(parseReference(reference))] : [];
    if (named.length > 0) return named;
    const rows = this.catalog.all('SELECT DISTINCT repository FROM digests WHERE image_id = ?', id);
    const ofNames = this.names(id).map((name) => repositoryOf(parseReference(name)));
    return [...new Set([...ofNames, ...rows.map(({ repository }) => String(repository))])];
  }

  tag(id: string, name: string): void {
    this.catalog.transaction(() => {
      this.giveName(name, id);
      syncIndex(this.catalog, this.paths);
    });
  }

  /** Writes down by which digest a repository has an image, unless that was removed meanwhile, or the disk is full. */
  addDigest(id: string, repository: string, digest: string): void {
    unlessFull(() => this.catalog.transaction(() => this.putDigest(id, repository, digest)));
  }

  /** Repositories that are known to have a manifest of an image. */
  repositoriesOf(id: string, digest: string): string[] {
    return this.catalog
      .all('SELECT repository FROM digests WHERE image_id = ? AND digest = ? ORDER BY repository', id, digest)
      .map((row) => String(row['repository']));
  }

  /** The full names in a repository. */
  namesIn(repository: string): string[] {
    return this.catalog
      .all(`SELECT name FROM names WHERE substr(name, 1, length(?1) + 1) = ?1 || ':' ORDER BY name`, repository)
      .map((row) => String(row['name']));
  }

  list(): ImageSummary[] {
    return this.catalog
      .all('SELECT * FROM images ORDER BY created IS NULL, created DESC, sequence DESC')
      .map((row) => this.summary(row));
  }

  /** @throws IMAGE_NOT_FOUND */
  image(id: string): Image {
    const row = this.catalog.get('SELECT * FROM images WHERE id = ?', id);
    if (row === undefined) throw notFound(id);
    const { config, diffIds, document } = parseConfig(readFileSync(this.paths.blob(id)));
    return { ...this.summary(row), config, diffIds, history: this.history(id, document) };
  }

  /** The id of the image that a reference means. @throws IMAGE_NOT_FOUND, INVALID_REFERENCE, AMBIGUOUS_REFERENCE */
  resolve(reference: string): string {
    const digest = /^sha256:([0-9a-f]{64})$/.exec(reference)?.[0];
    if (digest !== undefined) return this.byDigest(digest) ?? raise(notFound(reference));
    const named = this.byName(reference);
    if (named !== undefined) return named;
    const prefix = /^(?:sha256:)?([0-9a-f]{4,64})$/.exec(reference)?.[1];
    const matches = prefix === undefined ? [] : this.byPrefix(prefix);
    if (matches.length > 1) {
      throw new BoxError('AMBIGUOUS_REFERENCE', `image id ${reference} is the start of ${matches.length} ids`, {
        hint: 'give more digits, or a name',
      });
    }
    return matches[0] ?? raise(notFound(reference));
  }

  /** The full name that a reference is, when it is the name of an image and no id or digest. */
  nameMeant(reference: string): string | undefined {
    if (/^(?:sha256:)?[0-9a-f]{64}$/.test(reference) || /^sha256:/.test(reference)) return undefined;
    const { tag, digest, ...repository } = parseReference(reference);
    if (digest !== undefined) return undefined;
    const name = `${repositoryOf(repository)}:${tag as string}`;
    return this.catalog.get('SELECT 1 FROM names WHERE name = ?', name) === undefined ? undefined : name;
  }

  names(id: string): string[] {
    return this.catalog
      .all('SELECT name FROM names WHERE image_id = ? ORDER BY name', id)
      .map((row) => String(row['name']));
  }

  private repoDigests(id: string): string[] {
    return this.catalog
      .all('SELECT repository, digest FROM digests WHERE image_id = ? ORDER BY rowid', id)
      .map((row) => `${String(row['repository'])}@${String(row['digest'])}`);
  }

  private byDigest(digest: string): string | undefined {
    const row = this.catalog.get(
      `SELECT id FROM images WHERE id = ?1 OR manifest_digest = ?1
       UNION SELECT image_id FROM digests WHERE digest = ?1 LIMIT 1`,
      digest,
    );
    return row === undefined ? undefined : String(row['id']);
  }

  private byName(text: string): string | undefined {
    // A bare id of 64 digits is no valid name, and handled as an id.
    if (/^(?:sha256:)?[0-9a-f]{64}$/.test(text) || /^sha256:[0-9a-f]{4,63}$/.test(text)) return undefined;
    const reference = parseReference(text);
    const repository = repositoryOf(reference);
    if (reference.digest !== undefined) return this.byRepositoryDigest(repository, reference.digest);
    const row = this.catalog.get(
      'SELECT image_id FROM names WHERE name = ?',
      `${repository}:${reference.tag as string}`,
    );
    return row === undefined ? undefined : String(row['image_id']);
  }

  private byRepositoryDigest(repository: string, digest: string): string | undefined {
    const row = this.catalog.get(
      `SELECT image_id FROM digests WHERE repository = ?1 AND digest = ?2
       UNION SELECT images.id FROM images JOIN names ON names.image_id = images.id
       WHERE images.manifest_digest = ?2 AND substr(names.name, 1, length(?1) + 1) = ?1 || ':' LIMIT 1`,
      repository,
      digest,
    );
    return row === undefined ? undefined : String(row['image_id']);
  }

  private byPrefix(prefix: string): string[] {
    const start = `sha256:${prefix}`;
    return this.catalog
      .all('SELECT id FROM images WHERE id >= ? AND id < ? LIMIT 2', start, `${start}g`)
      .map((row) => String(row['id']));
  }

  private history(id: string, document: JsonObject): ImageStep[] {
    const sizes = this.catalog
      .all('SELECT bytes FROM image_layers JOIN layers USING (diff_id) WHERE image_id = ? ORDER BY position', id)
      .map(({ bytes }) => Number(bytes));
    return parseHistory(document).map(({ isEmpty, ...step }) => ({
      ...step,
      sizeBytes: isEmpty ? 0 : (sizes.shift() ?? 0),
    }));
  }

  /** Call in a transaction. */
  private markUsed(id: string): void {
    this.catalog.run('UPDATE images SET used = ? WHERE id = ?', Date.now(), id);
  }

  private keepAdmission(id: string, { repository, rule }: RepositoryRule): void {
    this.catalog.run(
      'INSERT OR IGNORE INTO admissions (image_id, repository, rule) VALUES (?, ?, ?)',
      id,
      repository,
      rule,
    );
  }

  private giveName(name: string, id: string): void {
    if (this.catalog.get('SELECT 1 FROM images WHERE id = ?', id) === undefined) throw notFound(id);
    this.catalog.run('INSERT OR REPLACE INTO names (name, image_id) VALUES (?, ?)', name, id);
  }

  private putDigest(id: string, repository: string, digest: string): void {
    const sql = `INSERT OR REPLACE INTO digests (repository, digest, image_id) SELECT ?, ?, id FROM images WHERE id = ?`;
    this.catalog.run(sql, repository, digest, id);
  }

  private keepBlob(blob: Blob, work: Work): void {
    const path = this.paths.blob(blob.digest);
    if (existsSync(path) && digestOf(readFileSync(path)) === blob.digest) return;
    writeDurably(path, join(work.directory, `blob-${blob.digest.slice(7)}`), blob.bytes);
  }

  private summary(row: Row): ImageSummary {
    const id = String(row['id']);
    const size = this.catalog.get(
      `SELECT coalesce(sum(bytes), 0) AS bytes FROM layers
       WHERE diff_id IN (SELECT diff_id FROM image_layers WHERE image_id = ?)`,
      id,
    );
    return {
      id,
      digest: String(row['manifest_digest']),
      names: this.names(id),
      repoDigests: this.repoDigests(id),
      platform: {
        os: String(row['os']),
        architecture: String(row['architecture']),
        ...(row['variant'] === null ? {} : { variant: String(row['variant']) }),
      },
      ...(row['created'] === null ? {} : { created: String(row['created']) }),
      sizeBytes: Number(size?.['bytes'] ?? 0),
    };
  }
}

/** Names the disk that layers make: images with equal layers share it. */
function diskKey(diffIds: readonly string[]): string {
  return digestOf(diffIds.join('\n'));
}

export function notFound(reference: string): BoxError {
  return new BoxError('IMAGE_NOT_FOUND', `image ${reference} is not in the store`, {
    hint: 'list images with "a3s-box images"; fetch with "a3s-box pull" or take an archive in with "a3s-box load"',
  });
}

function raise(error: BoxError): never {
  throw error;
}
