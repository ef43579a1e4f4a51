import type { Operation } from './operation.js';
import type { RegistryOptions } from './registry.js';

/** Which image policy holds, besides the distribution's. */
export interface PolicyOptions {
  /** Absolute path of the user's policy (docs/images.md); need not exist. */
  readonly policyFile?: string;
}

export interface AdmitOptions extends Operation, PolicyOptions {
  /** How registries are spoken to; called when one has to be. Default: every registry by its name, over TLS. */
  readonly registries?: () => Promise<RegistryOptions>;
}

/** Somebody who signs without a key of their own. Each of both is a text, or a pattern for all of it. */
export interface SignerIdentity {
  /** E-mail address or URI of the certificate. */
  readonly subject?: string;
  readonly subjectPattern?: string;
  /** OpenID Connect issuer that vouched for it. */
  readonly issuer?: string;
  readonly issuerPattern?: string;
}

/** Authorities and logs: the text of a sigstore trusted_root.json, or a TUF root file and its repository. */
export type TrustRootPlace =
  | { readonly kind: 'document'; readonly text: string }
  /** @property repository absolute path of a directory, or an https address */
  | { readonly kind: 'tuf'; readonly root: string; readonly repository: string };

/** Who must have signed: somebody with one of the keys, or one of the identities. */
export type SignerQuery =
  | {
      readonly kind: 'key';
      /** Public keys in PEM. */
      readonly keys: readonly string[];
      /** A log of this trust root must have recorded the signature. */
      readonly log?: TrustRootPlace;
    }
  | { readonly kind: 'keyless'; readonly identities: readonly SignerIdentity[]; readonly trustRoot: TrustRootPlace };

export interface VerifyOptions extends Operation, RegistryOptions, PolicyOptions {
  /** Absent: who must have signed by the policies. */
  readonly signer?: SignerQuery;
  /** Asks for attestations of this type, a URI, and not for signatures. Only with `signer`. */
  readonly predicateType?: string;
}

export interface VerifiedImage {
  /** Of the manifest that will be run. */
  readonly digest: string;
  readonly signatures: readonly ImageSignature[];
}

/** A signature or attestation that was found good. */
export interface ImageSignature {
  /** What was signed: the manifest, or an index that led to it. */
  readonly digest: string;
  /** Of the manifest that it is kept in. */
  readonly manifest: string;
  readonly format: 'bundle' | 'tag';
  readonly signer:
    | { readonly kind: 'key'; /** SHA-256 of it (SubjectPublicKeyInfo), base64. */ readonly key: string }
    | { readonly kind: 'certificate'; readonly subject: string; readonly issuer: string };
  /** Of an attestation: what it says. */
  readonly attestation?: ImageAttestation;
}

/** A statement about an image (in-toto). */
export interface ImageAttestation {
  /** A URI. */
  readonly predicateType: string;
  readonly predicate: Readonly<Record<string, unknown>>;
}

/** Who signs, with what of them is kept for the call only. */
export type ImageSigner =
  | {
      readonly kind: 'key';
      /** Private key in PEM, in the clear or as cosign encrypts it. */
      readonly key: string;
      /** Of a key that is encrypted. */
      readonly password?: Uint8Array;
    }
  | {
      readonly kind: 'keyless';
      /** OpenID Connect token of who signs. */
      readonly identityToken: string;
      /** Certificate authority (Fulcio), https. */
      readonly fulcioUrl: string;
      /** Transparency log (Rekor), https. */
      readonly rekorUrl: string;
      /** Timestamp authority (RFC 3161), https. Absent: the log tells the time. */
      readonly timestampUrl?: string;
    };

export interface SignOptions extends Operation, RegistryOptions {
  readonly signer: ImageSigner;
  /** A bundle that refers to the image (cosign 3), or a tag beside it (cosign before; with a key). Default: a bundle. */
  readonly format?: 'bundle' | 'tag';
  /** Signs this statement about the image in place of the image alone. Only as a bundle. */
  readonly attestation?: ImageAttestation;
}

export interface SignedImage {
  /** What was signed. */
  readonly digest: string;
  /** Of the manifest that the signature is in. */
  readonly manifest: string;
}

/** Something that is kept beside an image in its registry, such as a signature. */
export interface ImageReferrer {
  readonly digest: string;
  readonly artifactType: string;
  readonly sizeBytes: number;
  readonly annotations: Readonly<Record<string, string>>;
  /** The tag that it is found by, where it is by one. */
  readonly tag?: string;
}
