/** A repository of a registry, in memory. */
import { createHash } from 'node:crypto';
import type { Descriptor, SignatureTarget, StoredManifest } from '../../dist/signature-registry.js';

export const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export class MemoryRegistry implements SignatureTarget {
  readonly manifests = new Map<string, StoredManifest>();
  private readonly knowsReferrers: boolean;
  readonly blobs = new Map<string, Buffer>();

  /** @param knowsReferrers whether it keeps a list of what refers to a manifest (distribution-spec 1.1) */
  constructor(knowsReferrers: boolean) {
    this.knowsReferrers = knowsReferrers;
  }

  async manifest(tagOrDigest: string): Promise<StoredManifest | undefined> {
    return this.manifests.get(tagOrDigest);
  }

  async blob({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): Promise<Buffer> {
    const bytes = this.blobs.get(digest);
    if (bytes?.length !== size) throw new Error(`no blob ${digest} of ${size} bytes`);
    return bytes;
  }

  async referrers(digest: string): Promise<readonly Descriptor[] | undefined> {
    if (!this.knowsReferrers) return undefined;
    const all = [...new Set(this.manifests.values())];
    return all.flatMap(({ bytes, mediaType, digest: its }) => {
      const { subject, artifactType } = JSON.parse(bytes.toString()) as { subject?: Descriptor; artifactType?: string };
      if (subject?.digest !== digest) return [];
      return [{ mediaType, digest: its, size: bytes.length, ...(artifactType !== undefined && { artifactType }) }];
    });
  }

  async putBlob(bytes: Buffer): Promise<void> {
    this.blobs.set(digestOf(bytes), bytes);
  }

  async putManifest(tagOrDigest: string, bytes: Buffer, mediaType: string): Promise<{ subjectNoted: boolean }> {
    const stored = { bytes, mediaType, digest: digestOf(bytes) };
    this.manifests.set(tagOrDigest, stored);
    this.manifests.set(stored.digest, stored);
    return { subjectNoted: this.knowsReferrers };
  }

  /** Puts an image there, so that it can be signed. */
  async putImage(): Promise<Descriptor> {
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const config = {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(Buffer.from('{}')),
      size: 2,
    };
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [] }));
    await this.putManifest('latest', bytes, mediaType);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  }

  /** Puts a bundle beside an image, as a client that only knows the registry's API would. */
  async putBundle(subject: Descriptor, bundle: unknown): Promise<void> {
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    const bytes = Buffer.from(JSON.stringify(bundle));
    await this.putBlob(bytes);
    const layers = [{ mediaType: type, digest: digestOf(bytes), size: bytes.length }];
    const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(Buffer.from('{}')), size: 2 };
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, artifactType: type, config: empty, layers, subject }),
    );
    await this.putManifest(digestOf(manifest), manifest, 'application/vnd.oci.image.manifest.v1+json');
  }
}
