import { X509Certificate as NodeCertificate } from 'node:crypto';
import { VerificationError, Verifier, type TrustMaterial } from '@sigstore/verify';
import { isBoxError, type BoxError } from '@a3s-box/core';
import { toEntity, type Evidence, type Signatory } from './evidence.js';
import { fault, shown } from './fault.js';
import { checkLogEntry, derOfKey } from './log-entry.js';
import { hintOf } from './public-key.js';
import { matches, type Identity, type Requirement, type Signer } from './requirement.js';
import type { TrustRoot } from './trust-root.js';

type KeyRequirement = Extract<Requirement, { readonly kind: 'key' }>;
type CertificateSignatory = Extract<Signatory, { readonly kind: 'certificate' }>;

const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

/**
 * Verifies who signed. What was signed is the caller's to compare.
 * @throws SIGNATURE_INVALID, SIGNATURE_TAMPERED, SIGNATURE_MALFORMED, SIGNATURE_EXPIRED, SIGNER_UNTRUSTED,
 * SIGNER_IDENTITY_MISMATCH, LOG_PROOF_MISSING, LOG_PROOF_INVALID, TIMESTAMP_INVALID
 */
export function verifyEvidence(evidence: Evidence, requirement: Requirement): Signer {
  try {
    return verified(evidence, requirement);
  } catch (error) {
    if (isBoxError(error)) throw error;
    // What else comes out of parsing: types and ranges of values that are not what they should be.
    throw fault('SIGNATURE_MALFORMED', 'signature has parts that cannot be read', error);
  }
}

function verified(evidence: Evidence, requirement: Requirement): Signer {
  const { signatory } = evidence;
  if (requirement.kind === 'key') {
    if (signatory.kind !== 'key') {
      throw fault('SIGNATURE_INVALID', 'signature is by a certificate, and one by a key is asked for');
    }
    return verifyWithKey(evidence, signatory.hint, requirement);
  }
  if (signatory.kind !== 'certificate') {
    throw fault('SIGNER_UNTRUSTED', 'signature is by a bare key, and one by a certificate is asked for');
  }
  return verifyWithCertificate(evidence, signatory, requirement);
}

function verifyWithKey(evidence: Evidence, hint: string, { keys, log }: KeyRequirement): Signer {
  const key = keys.find((it) => evidence.content.verifySignature(it));
  if (key === undefined) throw fault('SIGNATURE_INVALID', 'signature is not by a key that is asked for');
  if (hint !== '' && hint !== hintOf(key)) throw fault('SIGNATURE_TAMPERED', 'signature names another key');
  if (log !== undefined) {
    needEntries(evidence);
    const publicKey = { publicKey: key, validFor: () => true };
    verifyWith({ ...log, publicKey: () => publicKey }, evidence, 0);
    for (const entry of evidence.logEntries) checkLogEntry(entry, derOfKey(key));
  }
  return { kind: 'key', hint: hintOf(key), logged: log !== undefined };
}

function verifyWithCertificate(
  evidence: Evidence,
  signatory: CertificateSignatory,
  requirement: Exclude<Requirement, KeyRequirement>,
): Signer {
  needEntries(evidence);
  const { identity } = verifyWith(withoutKeys(requirement.trustRoot), evidence, 1);
  for (const entry of evidence.logEntries) checkLogEntry(entry, signatory.der);
  if (!(new NodeCertificate(signatory.der).keyUsage ?? []).includes(CODE_SIGNING)) {
    throw fault('SIGNER_UNTRUSTED', 'certificate is not for signing code');
  }
  const subject = identity?.subjectAlternativeName ?? '';
  const issuer = identity?.extensions?.issuer ?? '';
  if (requirement.kind === 'keyless' && !requirement.identities.some((it) => isIdentity(it, subject, issuer))) {
    const who = `${shown(subject)} of ${shown(issuer)}`;
    throw fault('SIGNER_IDENTITY_MISMATCH', `signature is by ${who}, who is not asked for`);
  }
  return { kind: 'certificate', subject, issuer, logged: true };
}

function isIdentity(identity: Identity, subject: string, issuer: string): boolean {
  return matches(identity.subject, subject) && matches(identity.issuer, issuer);
}

function withoutKeys(root: TrustRoot): TrustMaterial {
  return {
    ...root,
    publicKey: (hint) => {
      throw fault('SIGNATURE_INVALID', `no key ${shown(hint)} is asked for`);
    },
  };
}

function needEntries({ logEntries }: Evidence): void {
  if (logEntries.length === 0) throw fault('LOG_PROOF_MISSING', 'signature is in no transparency log');
}

function verifyWith(
  material: TrustMaterial,
  evidence: Evidence,
  timestampThreshold: number,
): ReturnType<Verifier['verify']> {
  const options = { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold };
  try {
    return new Verifier(material, options).verify(toEntity(evidence));
  } catch (error) {
    throw error instanceof VerificationError ? translated(error, evidence) : error;
  }
}

function translated(error: VerificationError, evidence: Evidence): BoxError {
  const message = lower(error.message);
  switch (error.code) {
    case 'TLOG_MISSING_INCLUSION_ERROR':
      return fault('LOG_PROOF_MISSING', `log entry has no proof: ${message}`, error);
    case 'TLOG_ERROR':
    case 'TLOG_INCLUSION_PROOF_ERROR':
    case 'TLOG_INCLUSION_PROMISE_ERROR':
      return fault('LOG_PROOF_INVALID', `log entry is not proven: ${message}`, error);
    case 'TLOG_BODY_ERROR':
      return fault('SIGNATURE_TAMPERED', `log entry is of another signature: ${message}`, error);
    case 'TIMESTAMP_ERROR':
      return fault('TIMESTAMP_INVALID', `time of the signature is not proven: ${message}`, error);
    case 'CERTIFICATE_ERROR':
      if (!isInTime(evidence)) {
        return fault('SIGNATURE_EXPIRED', 'certificate was not valid when the signature was made', error);
      }
      return fault('SIGNER_UNTRUSTED', `certificate is not of the trust root: ${message}`, error);
    default:
      return fault('SIGNATURE_INVALID', `signature is wrong: ${message}`, error);
  }
}

/** Whether the certificate was valid at all times that the signature has; they are verified before the certificate is. */
function isInTime(evidence: Evidence): boolean {
  const { signatory } = evidence;
  if (signatory.kind !== 'certificate') return true;
  return toEntity(evidence).timestamps.every((it) => {
    const time =
      it.$case === 'transparency-log' ? new Date(Number(it.tlogEntry.integratedTime) * 1000) : it.timestamp.signingTime;
    return signatory.certificate.validForDate(time);
  });
}

function lower(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
