import type { TransparencyLogEntry } from '@sigstore/bundle';
import { certificateSignatory, type Evidence, type Signatory } from './evidence.js';
import { fault, shown } from './fault.js';
import { fromBase64, isObject, parseObject } from './json.js';
import { SignedContent } from './signed-content.js';

/** The layer of a signature in the older format. */
export const SIMPLE_SIGNING_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const CERTIFICATE_ANNOTATION = 'dev.sigstore.cosign/certificate';
const BUNDLE_ANNOTATION = 'dev.sigstore.cosign/bundle';
const TIMESTAMP_ANNOTATION = 'dev.sigstore.cosign/rfc3161timestamp';
const PAYLOAD_TYPE = 'cosign container image signature';

type Annotations = Readonly<Record<string, string>>;

/** What is signed in the older format, as cosign writes it. @param name of the repository, for people to read */
export function simplePayload(digest: string, name: string): Buffer {
  const critical = {
    identity: { 'docker-reference': name },
    image: { 'docker-manifest-digest': digest },
    type: PAYLOAD_TYPE,
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

/** The digest that a payload speaks of. @throws SIGNATURE_MALFORMED */
export function parseSimplePayload(payload: Uint8Array): string {
  const { critical } = parseObject(payload, 'signature payload');
  if (!isObject(critical) || critical['type'] !== PAYLOAD_TYPE || !isObject(critical['image'])) {
    throw fault('SIGNATURE_MALFORMED', 'signature payload is not of a container image');
  }
  const digest = critical['image']['docker-manifest-digest'];
  if (typeof digest !== 'string') throw fault('SIGNATURE_MALFORMED', 'signature payload names no digest');
  return digest;
}

/** The evidence in a layer of the older format and its annotations. @throws SIGNATURE_MALFORMED */
export function simpleEvidence(payload: Buffer, annotations: Annotations): Evidence {
  const signature = fromBase64(annotations[SIGNATURE_ANNOTATION], `annotation ${SIGNATURE_ANNOTATION}`);
  return { content: new SignedContent(signature, payload), ...annotatedEvidence(annotations) };
}

/** What annotations of a layer say of who signed, and when. @throws SIGNATURE_MALFORMED */
export function annotatedEvidence(annotations: Annotations): Omit<Evidence, 'content'> {
  const bundle = annotations[BUNDLE_ANNOTATION];
  const timestamp = annotations[TIMESTAMP_ANNOTATION];
  return {
    signatory: signatoryOf(annotations[CERTIFICATE_ANNOTATION]),
    logEntries: bundle === undefined ? [] : [logEntryOf(bundle)],
    timestamps: timestamp === undefined ? [] : [timestampOf(timestamp)],
  };
}

const PEM = /^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----\n?$/;

function signatoryOf(certificate: string | undefined): Signatory {
  if (certificate === undefined || certificate === '') return { kind: 'key', hint: '' };
  const body = PEM.exec(certificate)?.[1]?.replaceAll('\n', '');
  return certificateSignatory(fromBase64(body, `annotation ${CERTIFICATE_ANNOTATION}`));
}

function logEntryOf(text: string): TransparencyLogEntry {
  const { SignedEntryTimestamp: promise, Payload: payload } = parseObject(Buffer.from(text), BUNDLE_ANNOTATION);
  if (!isObject(payload)) throw fault('SIGNATURE_MALFORMED', `annotation ${BUNDLE_ANNOTATION} has no payload`);
  const { body, integratedTime, logIndex, logID } = payload;
  if (
    !Number.isSafeInteger(integratedTime) ||
    !Number.isSafeInteger(logIndex) ||
    !/^[0-9a-f]{64}$/.test(String(logID))
  ) {
    throw fault('SIGNATURE_MALFORMED', `annotation ${BUNDLE_ANNOTATION} has no time, index or log`);
  }
  const canonicalizedBody = fromBase64(body, 'body of the log entry');
  const { kind, apiVersion } = parseObject(canonicalizedBody, 'body of the log entry');
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
    throw fault('SIGNATURE_MALFORMED', `log entry is of the kind ${shown(String(kind))}`);
  }
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(String(logID), 'hex') },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: fromBase64(promise, 'promise of the log') },
    inclusionProof: undefined,
    canonicalizedBody,
  };
}

function timestampOf(text: string): Buffer {
  return fromBase64(
    parseObject(Buffer.from(text), TIMESTAMP_ANNOTATION)['SignedRFC3161Timestamp'],
    `annotation ${TIMESTAMP_ANNOTATION}`,
  );
}
