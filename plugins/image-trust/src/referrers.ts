import { listBundles } from './candidates.js';
import { tagFor, type Descriptor, type SignatureSource } from './signature-registry.js';

/** Something that is stored beside an image. */
export interface Referrer extends Omit<Descriptor, 'artifactType'> {
  readonly artifactType: string;
  /** The tag by which it is found, where that is how it is. */
  readonly tag?: string;
}

const SUFFIXES = {
  '.sig': 'application/vnd.dev.cosign.simplesigning.v1+json',
  '.att': 'application/vnd.dsse.envelope.v1+json',
  '.sbom': '',
} as const;

/** What is stored beside an image: what refers to it, and what cosign's older tags name. @throws what the source throws */
export async function listReferrers(source: SignatureSource, digest: string): Promise<Referrer[]> {
  const listed = (await listBundles(source, digest)).map((it) => ({ ...it, artifactType: it.artifactType ?? '' }));
  const tagged: Referrer[] = [];
  for (const [suffix, artifactType] of Object.entries(SUFFIXES)) {
    const tag = tagFor(digest, suffix);
    const stored = await source.manifest(tag);
    if (stored === undefined) continue;
    const { mediaType, bytes } = stored;
    tagged.push({ mediaType, digest: stored.digest, size: bytes.length, artifactType, tag });
  }
  return [...listed, ...tagged];
}
