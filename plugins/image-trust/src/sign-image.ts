import { createPublicKey, type KeyObject } from 'node:crypto';
import { bundleToJSON } from '@sigstore/bundle';
import { dsse } from '@sigstore/core';
import { BUNDLE_V03_MEDIA_TYPE } from './bundle.js';
import { fault } from './fault.js';
import { isObject, type JsonObject } from './json.js';
import { keylessBundle, type KeylessServices } from './keyless.js';
import {
  descriptorOf,
  EMPTY_CONFIG,
  EMPTY_TYPE,
  INDEX_TYPE,
  MANIFEST_TYPE,
  parseArtifact,
  parseReferrers,
} from './manifests.js';
import { signWith } from './private-key.js';
import { hintOf } from './public-key.js';
import { tagFor, type Descriptor, type SignatureTarget } from './signature-registry.js';
import { SIGNATURE_ANNOTATION, simplePayload, SIMPLE_SIGNING_TYPE } from './simple-signing.js';
import { SIGNATURE_PREDICATE, STATEMENT_TYPE, statementBytes } from './statement.js';

/** Who signs. */
export type ImageSigner =
  { readonly kind: 'key'; readonly key: KeyObject } | ({ readonly kind: 'keyless' } & KeylessServices);

export interface Signing {
  /** The manifest or index that is signed, as it lies in the repository. */
  readonly subject: Descriptor;
  readonly signer: ImageSigner;
  /** When it is done. */
  readonly now: Date;
}

/** Where a signature was put. */
export interface StoredSignature {
  /** Of its manifest. */
  readonly manifest: string;
}

/**
 * Signs an image: a bundle in a manifest that refers to it, as cosign 3 makes it.
 * @throws what the registry throws, and `keylessBundle`
 */
export function signImage(target: SignatureTarget, signing: Signing): Promise<StoredSignature> {
  return attest(target, signing, SIGNATURE_PREDICATE, {});
}

/** Puts a signed statement about an image beside it. @throws as {@link signImage} */
export async function attest(
  target: SignatureTarget,
  { subject, signer, now }: Signing,
  predicateType: string,
  predicate: JsonObject,
): Promise<StoredSignature> {
  const statement = statementBytes(subject.digest, predicateType, predicate);
  const signed = signer.kind === 'key' ? keyBundle(statement, signer.key) : await keylessBundle(statement, signer);
  const bundle = Buffer.from(JSON.stringify(signed));
  const layer = descriptorOf(BUNDLE_V03_MEDIA_TYPE, bundle);
  const annotations = {
    'dev.sigstore.bundle.content': 'dsse-envelope',
    'dev.sigstore.bundle.predicateType': predicateType,
    'org.opencontainers.image.created': now.toISOString().replace(/\.\d+Z$/, 'Z'),
  };
  const { mediaType, digest, size } = subject;
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      artifactType: BUNDLE_V03_MEDIA_TYPE,
      config: descriptorOf(EMPTY_TYPE, EMPTY_CONFIG),
      layers: [layer],
      subject: { mediaType, digest, size },
      annotations,
    }),
  );
  await target.putBlob(EMPTY_CONFIG);
  await target.putBlob(bundle);
  const descriptor = { ...descriptorOf(MANIFEST_TYPE, manifest), artifactType: BUNDLE_V03_MEDIA_TYPE, annotations };
  const { subjectNoted } = await target.putManifest(descriptor.digest, manifest, MANIFEST_TYPE);
  if (!subjectNoted) await noteReferrer(target, digest, descriptor);
  return { manifest: descriptor.digest };
}

function keyBundle(statement: Buffer, key: KeyObject): unknown {
  const hint = hintOf(createPublicKey(key));
  return bundleToJSON({
    mediaType: BUNDLE_V03_MEDIA_TYPE,
    verificationMaterial: {
      content: { $case: 'publicKey', publicKey: { hint } },
      tlogEntries: [],
      timestampVerificationData: undefined,
    },
    content: {
      $case: 'dsseEnvelope',
      dsseEnvelope: {
        payloadType: STATEMENT_TYPE,
        payload: statement,
        signatures: [{ sig: signWith(key, Buffer.from(dsse.preAuthEncoding(STATEMENT_TYPE, statement))), keyid: '' }],
      },
    },
  });
}

/** Adds to the tag that stands in where a registry keeps no list of referrers (distribution-spec, referrers tag schema). */
async function noteReferrer(target: SignatureTarget, digest: string, added: Descriptor): Promise<void> {
  const tag = tagFor(digest);
  const stored = await target.manifest(tag);
  const manifests = stored === undefined ? [] : parseReferrers(stored.bytes);
  if (manifests.some((it) => it.digest === added.digest)) return;
  const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [...manifests, added] };
  await target.putManifest(tag, Buffer.from(JSON.stringify(index)), INDEX_TYPE);
}

/**
 * Signs an image in cosign's older format: one more layer of the manifest under the tag that is made of its digest.
 * @param name of the repository, for people to read
 * @throws SIGNATURE_MALFORMED when something else is under that tag, and what the registry throws
 */
export async function signImageByTag(
  target: SignatureTarget,
  { subject, key }: Pick<Signing, 'subject'> & { readonly key: KeyObject },
  name: string,
): Promise<StoredSignature> {
  const payload = simplePayload(subject.digest, name);
  const tag = tagFor(subject.digest, '.sig');
  const stored = await target.manifest(tag);
  const before = stored === undefined ? [] : parseArtifact(stored.bytes).layers;
  if (before.some(({ mediaType }) => mediaType !== SIMPLE_SIGNING_TYPE)) {
    throw fault('SIGNATURE_MALFORMED', `tag ${tag} is of something else than signatures`);
  }
  const annotations = { [SIGNATURE_ANNOTATION]: signWith(key, payload).toString('base64') };
  const layers = [...before, { ...descriptorOf(SIMPLE_SIGNING_TYPE, payload), annotations }];
  const config = Buffer.from(
    JSON.stringify({
      architecture: '',
      os: '',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config: descriptorOf('application/vnd.oci.image.config.v1+json', config),
      layers,
    }),
  );
  await target.putBlob(payload);
  await target.putBlob(config);
  await target.putManifest(tag, manifest, MANIFEST_TYPE);
  return { manifest: descriptorOf(MANIFEST_TYPE, manifest).digest };
}

/** The predicate of an attestation, as a file has it. @throws INVALID_ARGUMENT */
export function parsePredicate(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fault('INVALID_ARGUMENT', 'predicate is no JSON', error);
  }
  if (isObject(value)) return value;
  throw fault('INVALID_ARGUMENT', 'predicate is no JSON object');
}
