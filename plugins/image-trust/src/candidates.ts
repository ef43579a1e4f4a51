import { dsse } from '@sigstore/core';
import { BUNDLE_V03_MEDIA_TYPE, parseBundle } from './bundle.js';
import { envelopeEvidence, type Evidence } from './evidence.js';
import { fault } from './fault.js';
import { fromBase64, isObject, parseObject, MAX_DOCUMENT } from './json.js';
import { mayBeBundle, parseArtifact, parseReferrers } from './manifests.js';
import { tagFor, type Descriptor, type SignatureSource } from './signature-registry.js';
import { SignedContent } from './signed-content.js';
import { annotatedEvidence, parseSimplePayload, simpleEvidence, SIMPLE_SIGNING_TYPE } from './simple-signing.js';
import { parseStatement, SIGNATURE_PREDICATE, type Statement } from './statement.js';

/** The layer of an attestation in the older format. */
const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';

/** What is stored beside an image and may be a signature of it. Nothing of it was verified. */
export interface Candidate {
  /** Of the manifest it came in. */
  readonly manifest: string;
  readonly format: 'bundle' | 'tag';
  /** @throws SIGNATURE_MALFORMED, SIGNATURE_TAMPERED */
  readonly read: () => Claim;
}

/** What a signature says: that this image is meant, or a statement about images. */
export interface Claim {
  readonly evidence: Evidence;
  /** sha256 digests in hexadecimal of what is meant. */
  readonly subjects: readonly string[];
  readonly predicateType: string;
  readonly statement?: Statement;
}

/**
 * What may be a signature or an attestation of an image, in both formats.
 * @param digest of the manifest or index
 * @throws what the source throws, LIMIT_EXCEEDED
 */
export async function findCandidates(source: SignatureSource, digest: string): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const { digest: manifest } of (await listBundles(source, digest)).filter(mayBeBundle)) {
    candidates.push(...(await bundlesIn(source, manifest)));
  }
  candidates.push(...(await layersUnder(source, tagFor(digest, '.sig'), SIMPLE_SIGNING_TYPE, simpleClaim)));
  candidates.push(...(await layersUnder(source, tagFor(digest, '.att'), ENVELOPE_TYPE, envelopeClaim)));
  return candidates;
}

/** The referrers of a manifest: the registry's list, or the tag that stands in for one. */
export async function listBundles(source: SignatureSource, digest: string): Promise<readonly Descriptor[]> {
  const listed = await source.referrers(digest);
  if (listed !== undefined) return listed;
  const index = await source.manifest(tagFor(digest));
  return index === undefined ? [] : parseReferrers(index.bytes);
}

async function bundlesIn(source: SignatureSource, manifest: string): Promise<Candidate[]> {
  const stored = await source.manifest(manifest);
  if (stored === undefined) return [];
  let layers: readonly Descriptor[];
  try {
    ({ layers } = parseArtifact(stored.bytes));
  } catch (error) {
    return [{ manifest, format: 'bundle', read: () => rethrow(error) }];
  }
  const candidates = layers
    .filter(({ mediaType }) => mediaType === BUNDLE_V03_MEDIA_TYPE)
    .map(async (layer): Promise<Candidate> => {
      const bytes = await blobOf(source, layer);
      return { manifest, format: 'bundle', read: () => bundleClaim(bytes) };
    });
  return Promise.all(candidates);
}

async function layersUnder(
  source: SignatureSource,
  tag: string,
  mediaType: string,
  read: (bytes: Buffer, annotations: Readonly<Record<string, string>>) => Claim,
): Promise<Candidate[]> {
  const stored = await source.manifest(tag);
  if (stored === undefined) return [];
  let layers: readonly Descriptor[];
  try {
    ({ layers } = parseArtifact(stored.bytes));
  } catch (error) {
    return [{ manifest: stored.digest, format: 'tag', read: () => rethrow(error) }];
  }
  const candidates: Candidate[] = [];
  for (const layer of layers.filter((it) => it.mediaType === mediaType)) {
    const bytes = await blobOf(source, layer);
    candidates.push({ manifest: stored.digest, format: 'tag', read: () => read(bytes, layer.annotations ?? {}) });
  }
  return candidates;
}

async function blobOf(source: SignatureSource, layer: Descriptor): Promise<Buffer> {
  if (layer.size > MAX_DOCUMENT) {
    throw fault('LIMIT_EXCEEDED', `signature ${layer.digest} is larger than ${MAX_DOCUMENT} bytes`);
  }
  return source.blob(layer);
}

/** What a bundle says. @throws SIGNATURE_MALFORMED, SIGNATURE_TAMPERED */
export function bundleClaim(bytes: Uint8Array): Claim {
  const { envelope, evidence } = envelopeEvidence(parseBundle(bytes));
  const statement = parseStatement(envelope);
  return { evidence, statement, subjects: statement.subjects, predicateType: statement.predicateType };
}

/** What a signature in the older format says. @throws SIGNATURE_MALFORMED */
export function simpleClaim(payload: Buffer, annotations: Readonly<Record<string, string>>): Claim {
  const digest = parseSimplePayload(payload);
  return {
    evidence: simpleEvidence(payload, annotations),
    subjects: digest.startsWith('sha256:') ? [digest.slice('sha256:'.length)] : [],
    predicateType: SIGNATURE_PREDICATE,
  };
}

/** What an attestation in the older format says. @throws SIGNATURE_MALFORMED */
export function envelopeClaim(bytes: Buffer, annotations: Readonly<Record<string, string>>): Claim {
  const { payloadType, payload, signatures } = parseObject(bytes, 'attestation');
  const [signature] = Array.isArray(signatures) ? (signatures as unknown[]) : [];
  if (typeof payloadType !== 'string' || !isObject(signature) || (signatures as unknown[]).length !== 1) {
    throw fault('SIGNATURE_MALFORMED', 'attestation is no envelope with one signature');
  }
  const content = fromBase64(payload, 'payload of the attestation');
  const signed = Buffer.from(dsse.preAuthEncoding(payloadType, content));
  const statement = parseStatement({ payloadType, payload: content });
  return {
    evidence: {
      content: new SignedContent(fromBase64(signature['sig'], 'signature of the attestation'), signed, content),
      ...annotatedEvidence(annotations),
    },
    statement,
    subjects: statement.subjects,
    predicateType: statement.predicateType,
  };
}

function rethrow(error: unknown): never {
  throw error;
}
