/** A descriptor, as of OCI's image-spec. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  /** Of these bytes; checked by who fetched them. */
  readonly digest: string;
}

/** One repository, with what is read there to find signatures. Errors are the registry's own. */
export interface SignatureSource {
  /** By tag or digest. @returns undefined when there is none */
  manifest(tagOrDigest: string): Promise<StoredManifest | undefined>;
  /** A blob whole, checked against its digest, no larger than the descriptor says. */
  blob(descriptor: Pick<Descriptor, 'digest' | 'size'>): Promise<Buffer>;
  /** What refers to a manifest (distribution-spec 1.1). @returns undefined when the registry does not know of that */
  referrers(digest: string): Promise<readonly Descriptor[] | undefined>;
}

/** One repository that signatures are put into. */
export interface SignatureTarget extends SignatureSource {
  putBlob(bytes: Buffer): Promise<void>;
  /** @returns whether the registry has taken note of the manifest's subject (the header OCI-Subject) */
  putManifest(tagOrDigest: string, bytes: Buffer, mediaType: string): Promise<{ readonly subjectNoted: boolean }>;
}

/** `sha256:X` as `sha256-X`, under which tags hang what belongs to an image. */
export function tagFor(digest: string, suffix = ''): string {
  return `${digest.replace(':', '-')}${suffix}`;
}
