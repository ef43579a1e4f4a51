import { isBoxError, type BoxError, type ErrorCode } from '@a3s-box/core';
import { findCandidates, type Candidate, type Claim } from './candidates.js';
import { fault, shown } from './fault.js';
import type { Requirement, Signer } from './requirement.js';
import type { SignatureSource } from './signature-registry.js';
import { SIGNATURE_PREDICATE, type Statement } from './statement.js';
import { verifyEvidence } from './verify-evidence.js';

/** A signature that was found good. */
export interface VerifiedSignature {
  /** The digest that was signed: of the image or of an index that it is in. */
  readonly digest: string;
  readonly signer: Signer;
  readonly format: Candidate['format'];
  /** Of the manifest that the signature is in. */
  readonly manifest: string;
}

export interface VerifiedAttestation extends VerifiedSignature {
  readonly statement: Statement;
}

/** What is wrong with a signature, the worst first: of several, that is what is told. */
const RANKS: readonly ErrorCode[] = [
  'SIGNATURE_TAMPERED',
  'SIGNATURE_EXPIRED',
  'SIGNER_IDENTITY_MISMATCH',
  'LOG_PROOF_INVALID',
  'TIMESTAMP_INVALID',
  'LOG_PROOF_MISSING',
  'SIGNER_UNTRUSTED',
  'SIGNATURE_INVALID',
  'SIGNATURE_MALFORMED',
];

/**
 * Finds a signature of an image that fulfils a requirement.
 * @param digests of the image's manifest, and of the index that led to it; it is enough that one is signed
 * @throws IMAGE_UNSIGNED when there is no signature, else what is wrong with those that there are (as `verifyEvidence`),
 * and what the source throws
 */
export async function verifyImage(
  source: SignatureSource,
  digests: readonly string[],
  requirement: Requirement,
): Promise<VerifiedSignature> {
  const { found, faults } = await search(source, digests, requirement, isSignature);
  const [first] = found;
  if (first !== undefined) return first;
  throw worst(faults) ?? fault('IMAGE_UNSIGNED', `image ${digests.at(-1)} has no signature`);
}

/**
 * Finds the attestations of an image that are of a type and fulfil a requirement.
 * @param predicateType as a URI
 * @throws ATTESTATION_MISSING when there is none, else as {@link verifyImage}
 */
export async function verifyAttestations(
  source: SignatureSource,
  digests: readonly string[],
  predicateType: string,
  requirement: Requirement,
): Promise<readonly VerifiedAttestation[]> {
  const wanted = (claim: Claim): boolean => claim.predicateType === predicateType && claim.statement !== undefined;
  const { found, faults } = await search(source, digests, requirement, wanted);
  const attestations = found.filter((it): it is VerifiedAttestation => it.statement !== undefined);
  if (attestations.length > 0) return attestations;
  const missing = `image ${digests.at(-1)} has no attestation of the type ${shown(predicateType)}`;
  throw worst(faults) ?? fault('ATTESTATION_MISSING', missing);
}

interface Found extends VerifiedSignature {
  readonly statement?: Statement;
}

function isSignature({ predicateType }: Claim): boolean {
  return predicateType === SIGNATURE_PREDICATE;
}

async function search(
  source: SignatureSource,
  digests: readonly string[],
  requirement: Requirement,
  wanted: (claim: Claim) => boolean,
): Promise<{ readonly found: readonly Found[]; readonly faults: readonly BoxError[] }> {
  const found: Found[] = [];
  const faults: BoxError[] = [];
  for (const digest of new Set(digests)) {
    for (const { read, format, manifest } of await findCandidates(source, digest)) {
      try {
        const claim = read();
        if (!wanted(claim)) continue;
        const signer = verifyClaim(claim, digest, requirement);
        found.push({ digest, signer, format, manifest, ...(claim.statement && { statement: claim.statement }) });
      } catch (error) {
        if (!isBoxError(error) || !RANKS.includes(error.code)) throw error;
        faults.push(error);
      }
    }
  }
  return { found, faults };
}

/** Verifies that a claim is of an image and by who must have signed. @throws as `verifyEvidence` */
export function verifyClaim({ evidence, subjects }: Claim, digest: string, requirement: Requirement): Signer {
  const signer = verifyEvidence(evidence, requirement);
  if (!subjects.includes(digest.slice('sha256:'.length))) {
    throw fault('SIGNATURE_TAMPERED', `signature is of another image than ${digest}`);
  }
  return signer;
}

function worst(faults: readonly BoxError[]): BoxError | undefined {
  return faults.toSorted((a, b) => RANKS.indexOf(a.code) - RANKS.indexOf(b.code))[0];
}
