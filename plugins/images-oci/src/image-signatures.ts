import {
  BoxError,
  isBoxError,
  type AdmitOptions,
  type ImageReferrer,
  type ImageSignature,
  type Operation,
  type RegistryOptions,
  type SignerQuery,
  type TrustRootPlace,
  type VerifiedImage,
  type VerifyOptions,
} from '@a3s-box/core';
import type { Requirement, TrustRoot, VerifiedAttestation, VerifiedSignature } from '@a3s-box/image-trust';
import type { ImageLibrary } from './image-library.js';
import type { ImagePolicies } from './image-policies.js';
import { guestPlatform } from './platform.js';
import { findImage } from './pull-image.js';
import { quoted } from './quoted.js';
import { parseReference, repositoryOf } from './reference.js';
import { Registries, type RegistryPatience } from './registries.js';
import type { RegistryConnection } from './registry-connection.js';
import { RegistryClient } from './registry-client.js';
import { RegistrySignatures } from './registry-signatures.js';

export interface SignatureContext {
  readonly images: ImageLibrary;
  readonly policies: ImagePolicies;
  readonly patience: RegistryPatience;
}

/** Lets an image of the store be used, or not. @throws as `ImageStore.admit` */
export async function admitImage(
  reference: string,
  { images, policies, patience }: SignatureContext,
  { policyFile, registries, signal }: AdmitOptions,
): Promise<void> {
  const id = images.resolve(reference);
  if (!policies.ask(policyFile)) return;
  const repositories = images.repositoriesMeant(reference, id);
  await using opened = new AsyncDisposableStack();
  const admit = async (repository: string): Promise<void> => {
    const source = async (): Promise<RegistrySignatures> => {
      if (repository === '') throw unsigned(reference);
      const connections = opened.use(new Registries((await registries?.()) ?? {}, signal, patience));
      return new RegistrySignatures(clientOf(connections, repository));
    };
    const fulfilled = images.admissions(id, repository);
    const subject = { repository, digests: images.digestsAt(id, repository), source, fulfilled };
    const { rules } = await policies.admit(subject, policyFile);
    images.admit(
      id,
      rules.map((rule) => ({ repository, rule })),
    );
  };
  const failures: unknown[] = [];
  // An image without a name is under the default rules.
  for (const repository of repositories.length > 0 ? repositories : ['']) {
    try {
      return await admit(repository);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

/** Looks for good signatures. @throws as `ImageStore.verify` */
export async function verifySignatures(
  reference: string,
  { images, policies, patience }: SignatureContext,
  options: VerifyOptions,
): Promise<VerifiedImage> {
  const { signer, predicateType, policyFile } = options;
  if (signer === undefined && predicateType !== undefined) {
    throw new BoxError('INVALID_ARGUMENT', 'attestations are verified for a key or an identity', { hint: 'name one' });
  }
  await using registries = new Registries(options, options.signal, patience);
  const { repository, client, digests } = await findSubject(reference, images, registries);
  const signatures = new RegistrySignatures(client);
  const digest = digests.at(-1) as string;
  if (signer === undefined) {
    const subject = { repository, digests, source: async () => signatures };
    const admission = await policies.admit(subject, policyFile);
    if (admission.signatures.length > 0) return { digest, signatures: admission.signatures.map(signatureOf) };
    throw new BoxError('INVALID_ARGUMENT', `image policies ask for no signature of ${quoted(reference)}`, {
      hint: 'say who must have signed: a key, or an identity and its issuer',
    });
  }
  const trust = await import('@a3s-box/image-trust');
  const requirement = await requirementOf(signer, policies);
  if (predicateType === undefined) {
    return { digest, signatures: [signatureOf(await trust.verifyImage(signatures, digests, requirement))] };
  }
  const found = await trust.verifyAttestations(signatures, digests, trust.predicateTypeOf(predicateType), requirement);
  return { digest, signatures: found.map(attestationOf) };
}

/** What is kept beside an image. @throws as `ImageStore.referrers` */
export async function referrersOf(
  reference: string,
  { images, patience }: SignatureContext,
  options: Operation & RegistryOptions,
): Promise<readonly ImageReferrer[]> {
  const { listReferrers } = await import('@a3s-box/image-trust');
  await using registries = new Registries(options, options.signal, patience);
  const { client, digests } = await findSubject(reference, images, registries);
  const signatures = new RegistrySignatures(client);
  const found = await Promise.all(digests.map((digest) => listReferrers(signatures, digest)));
  return found.flat().map(({ digest, artifactType, size, annotations, tag }) => ({
    digest,
    artifactType,
    sizeBytes: size,
    annotations: annotations ?? {},
    ...(tag !== undefined && { tag }),
  }));
}

interface Subject {
  readonly repository: string;
  readonly client: RegistryClient;
  /** Of the manifest, and before it those of indexes that led to it. */
  readonly digests: readonly string[];
}

/** What a reference means: the store's image, else the registry's. */
async function findSubject(reference: string, images: ImageLibrary, registries: Registries): Promise<Subject> {
  const id = ifStored(images, reference);
  if (id !== undefined) {
    const [repository] = images.repositoriesMeant(reference, id);
    if (repository === undefined) throw unsigned(reference);
    return { repository, client: clientOf(registries, repository), digests: images.digestsAt(id, repository) };
  }
  const parsed = parseReference(reference);
  const repository = repositoryOf(parsed);
  const client = clientOf(registries, repository);
  const { digests } = await findImage(client, parsed.digest ?? (parsed.tag as string), guestPlatform(), reference);
  return { repository, client, digests };
}

/** The id of an image that the store has. */
export function ifStored(images: ImageLibrary, reference: string): string | undefined {
  try {
    return images.resolve(reference);
  } catch (error) {
    if (isBoxError(error) && error.code === 'IMAGE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** To the registry itself, past its mirrors. */
export function connectionTo(registries: Registries, repository: string): RegistryConnection {
  const connection = registries.connections(parseReference(repository)).at(-1);
  if (connection !== undefined) return connection;
  throw new BoxError('INTERNAL', `repository ${repository} is at no registry`);
}

function clientOf(registries: Registries, repository: string): RegistryClient {
  return new RegistryClient(connectionTo(registries, repository));
}

async function requirementOf(signer: SignerQuery, policies: ImagePolicies): Promise<Requirement> {
  const { matchOf, parsePublicKey } = await import('@a3s-box/image-trust');
  if (signer.kind === 'key') {
    const keys = signer.keys.map(parsePublicKey);
    return { kind: 'key', keys, ...(signer.log && { log: await trustRootAt(signer.log, policies) }) };
  }
  const match = (text: string | undefined, pattern: string | undefined) => {
    if (text === undefined && pattern === undefined) {
      throw new BoxError('INVALID_ARGUMENT', 'who must have signed needs an identity and its issuer', {
        hint: 'name both, or a pattern for either',
      });
    }
    try {
      return matchOf(text, pattern);
    } catch (cause) {
      throw new BoxError('INVALID_ARGUMENT', `${quoted(pattern ?? '')} is no regular expression`, { cause });
    }
  };
  const identities = signer.identities.map(({ subject, subjectPattern, issuer, issuerPattern }) => ({
    subject: match(subject, subjectPattern),
    issuer: match(issuer, issuerPattern),
  }));
  return { kind: 'keyless', identities, trustRoot: await trustRootAt(signer.trustRoot, policies) };
}

async function trustRootAt(place: TrustRootPlace, policies: ImagePolicies): Promise<TrustRoot> {
  if (place.kind === 'tuf') return await policies.trustRoot(place);
  const { parseTrustRoot } = await import('@a3s-box/image-trust');
  return parseTrustRoot(Buffer.from(place.text));
}

function signatureOf({ digest, manifest, format, signer }: VerifiedSignature): ImageSignature {
  return {
    digest,
    manifest,
    format,
    signer: signer.kind === 'key' ? { kind: 'key', key: signer.hint } : signer,
  };
}

function attestationOf(attestation: VerifiedAttestation): ImageSignature {
  const { predicateType, predicate } = attestation.statement;
  return { ...signatureOf(attestation), attestation: { predicateType, predicate } };
}

function unsigned(reference: string): BoxError {
  return new BoxError('IMAGE_UNSIGNED', `image ${quoted(reference)} has no name in a registry, where signatures are`, {
    hint: 'push and sign it, or let the image policy accept it',
  });
}
