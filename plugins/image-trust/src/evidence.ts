import { RFC3161Timestamp, dsse, X509Certificate } from '@sigstore/core';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import type { SignedEntity } from '@sigstore/verify';
import type { Bundle } from './bundle.js';
import { fault } from './fault.js';
import { SignedContent } from './signed-content.js';

/** Who is said to have signed. */
export type Signatory =
  | { readonly kind: 'key'; readonly hint: string }
  | { readonly kind: 'certificate'; readonly certificate: X509Certificate; readonly der: Buffer };

/** A signature with what speaks for it, whichever format it came in. Nothing of it was verified. */
export interface Evidence {
  readonly content: SignedContent;
  readonly signatory: Signatory;
  readonly logEntries: readonly TransparencyLogEntry[];
  /** RFC 3161 responses, DER. */
  readonly timestamps: readonly Buffer[];
}

/** The only kind of content that a bundle of an image has: an envelope (DSSE). */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Buffer;
}

/** @throws SIGNATURE_MALFORMED when the bundle signs something else than an envelope with one signature */
export function envelopeEvidence(bundle: Bundle): { readonly envelope: Envelope; readonly evidence: Evidence } {
  if (bundle.content.$case !== 'dsseEnvelope') {
    throw fault('SIGNATURE_MALFORMED', 'signature bundle has no envelope');
  }
  const { payloadType, payload, signatures } = bundle.content.dsseEnvelope;
  const [signature] = signatures;
  if (signature === undefined || signatures.length !== 1) {
    throw fault('SIGNATURE_MALFORMED', 'envelope has not one signature');
  }
  const { content: material, tlogEntries, timestampVerificationData } = bundle.verificationMaterial;
  let signatory: Signatory;
  switch (material.$case) {
    case 'publicKey':
      signatory = { kind: 'key', hint: material.publicKey.hint };
      break;
    case 'certificate':
      signatory = certificateSignatory(Buffer.from(material.certificate.rawBytes));
      break;
    case 'x509CertificateChain':
      throw fault('SIGNATURE_MALFORMED', 'signature bundle has a chain of certificates');
  }
  if (signature.keyid !== '' && (signatory.kind !== 'key' || signature.keyid !== signatory.hint)) {
    throw fault('SIGNATURE_TAMPERED', 'envelope names another key than its bundle');
  }
  const content = new SignedContent(
    Buffer.from(signature.sig),
    Buffer.from(dsse.preAuthEncoding(payloadType, payload)),
    payload,
  );
  const timestamps = (timestampVerificationData?.rfc3161Timestamps ?? []).map((it) => Buffer.from(it.signedTimestamp));
  return { envelope: { payloadType, payload }, evidence: { content, signatory, logEntries: tlogEntries, timestamps } };
}

/** @throws SIGNATURE_MALFORMED */
export function certificateSignatory(der: Buffer): Signatory {
  try {
    return { kind: 'certificate', certificate: X509Certificate.parse(Buffer.from(der)), der };
  } catch (error) {
    throw fault('SIGNATURE_MALFORMED', 'certificate of the signature cannot be read', error);
  }
}

/** @throws SIGNATURE_MALFORMED when a timestamp cannot be read */
export function toEntity({ content, signatory, logEntries, timestamps }: Evidence): SignedEntity {
  return {
    signature: content,
    key:
      signatory.kind === 'key'
        ? { $case: 'public-key', hint: signatory.hint }
        : { $case: 'certificate', certificate: signatory.certificate },
    tlogEntries: [...logEntries],
    timestamps: [
      ...logEntries
        .filter(({ integratedTime }) => integratedTime !== '0')
        .map((tlogEntry) => ({ $case: 'transparency-log' as const, tlogEntry })),
      ...timestamps.map((der) => ({ $case: 'timestamp-authority' as const, timestamp: parseTimestamp(der) })),
    ],
  };
}

function parseTimestamp(der: Buffer): RFC3161Timestamp {
  try {
    return RFC3161Timestamp.parse(Buffer.from(der));
  } catch (error) {
    throw fault('SIGNATURE_MALFORMED', 'timestamp of the signature cannot be read', error);
  }
}
