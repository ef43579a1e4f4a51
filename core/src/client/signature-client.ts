import {
  SignaturesService,
  SignerIdentity,
  SignerQuery as QueryMessage,
  SignImageRequest,
  TrustRootPlace as TrustRootMessage,
  type ImageSignature as SignatureMessage,
  type RegistryAccess,
} from '../gen/a3s/box/supervisor/v1/signatures.js';
import type {
  ImageAttestation,
  ImageReferrer,
  ImageSignature,
  ImageSigner,
  SignedImage,
  SignerQuery,
  TrustRootPlace,
  VerifiedImage,
} from '../ports/image-trust.js';
import type { CallOptions } from './call-options.js';
import { credentialsFor, type CredentialSource } from './registry-client.js';
import type { SupervisorConnection } from './supervisor-connection.js';

export interface SignatureOptions extends CallOptions {
  /** Speak http; only to a registry on loopback. */
  readonly plainHttp?: boolean;
  /** Is asked for each registry that the image may be in. Default: none are sent. */
  readonly credentials?: CredentialSource;
}

export interface VerifyOptions extends SignatureOptions {
  /** Default: who must have signed by the image policies. */
  readonly signer?: SignerQuery;
  /** Asks for attestations of this type (a URI, or cosign's short name) in place of signatures. */
  readonly predicateType?: string;
}

export interface SignOptions extends SignatureOptions {
  readonly signer: ImageSigner;
  /** Default: a bundle. */
  readonly format?: 'bundle' | 'tag';
  /** Signs this statement about the image. */
  readonly attestation?: ImageAttestation;
}

/** What is kept beside images in their registries. Errors as of `BoxClient`. */
export class SignatureClient {
  readonly #connection: SupervisorConnection;

  /** @param connection stays the caller's */
  constructor(connection: SupervisorConnection) {
    this.#connection = connection;
  }

  /**
   * Looks for good signatures of an image: of the one in the home, else of its registry's.
   * @throws IMAGE_UNSIGNED, ATTESTATION_MISSING, what is wrong with those there are, REGISTRY_FAILED, REGISTRY_DENIED
   */
  async verify(image: string, options: VerifyOptions = {}): Promise<VerifiedImage> {
    const { signer, predicateType = '', signal } = options;
    const access = await this.#access(image, options);
    const request = { image, access, predicateType, signer: signer && queryOf(signer) };
    const { digest, signatures } = await this.#connection.call(SignaturesService.verify, request, signal);
    return { digest, signatures: signatures.map(signatureFrom) };
  }

  /** Signs an image that is in its registry. @throws SIGNING_KEY_INVALID, SIGNING_FAILED, IMAGE_NOT_FOUND, REGISTRY_FAILED, REGISTRY_DENIED */
  async sign(image: string, options: SignOptions): Promise<SignedImage> {
    const { signer, format = '', attestation, signal } = options;
    const access = await this.#access(image, options);
    const predicate = attestation === undefined ? '' : JSON.stringify(attestation.predicate);
    const predicateType = attestation?.predicateType ?? '';
    const what = { image, access, format, predicateType, predicate };
    const request = SignImageRequest.create(
      signer.kind === 'key'
        ? { ...what, key: signer.key, password: Buffer.from(signer.password ?? []) }
        : { ...what, keyless: { timestampUrl: '', ...signer } },
    );
    return await this.#connection.call(SignaturesService.sign, request, signal);
  }

  /** What is kept beside an image in its registry. @throws IMAGE_NOT_FOUND, REGISTRY_FAILED, REGISTRY_DENIED */
  async referrers(image: string, options: SignatureOptions = {}): Promise<ImageReferrer[]> {
    const request = { image, access: await this.#access(image, options) };
    const { referrers } = await this.#connection.call(SignaturesService.listReferrers, request, options.signal);
    return referrers.map(({ tag, sizeBytes, ...rest }) => ({
      ...rest,
      sizeBytes: Number(sizeBytes),
      ...(tag !== '' && { tag }),
    }));
  }

  async #access(image: string, { plainHttp = false, credentials, signal }: SignatureOptions): Promise<RegistryAccess> {
    return { plainHttp, credentials: await credentialsFor(this.#connection, image, credentials, signal) };
  }
}

function queryOf(signer: SignerQuery): QueryMessage {
  if (signer.kind === 'key') {
    return QueryMessage.create({ keys: [...signer.keys], ...(signer.log && { trustRoot: placeOf(signer.log) }) });
  }
  const identities = signer.identities.map((identity) => SignerIdentity.create(identity));
  return QueryMessage.create({ identities, trustRoot: placeOf(signer.trustRoot) });
}

function placeOf(place: TrustRootPlace): TrustRootMessage {
  if (place.kind === 'document') return TrustRootMessage.create({ document: place.text });
  return TrustRootMessage.create({ tufRoot: place.root, tufRepository: place.repository });
}

function signatureFrom(message: SignatureMessage): ImageSignature {
  const { digest, manifest, format, key, subject, issuer, predicateType, predicate } = message;
  return {
    digest,
    manifest,
    format: format as ImageSignature['format'],
    signer: key === '' ? { kind: 'certificate', subject, issuer } : { kind: 'key', key },
    ...(predicateType !== '' && {
      attestation: { predicateType, predicate: JSON.parse(predicate) as Record<string, unknown> },
    }),
  };
}
