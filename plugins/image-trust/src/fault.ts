import { BoxError, type ErrorCode } from '@a3s-box/core';

/** What to do next, by what is wrong with a signature. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  IMAGE_UNSIGNED: 'have it signed, or let the policy accept it unsigned',
  SIGNATURE_MALFORMED: 'have the image signed again',
  SIGNATURE_INVALID: 'check that the key is the one of who signed it; if it is, the image is not theirs',
  SIGNATURE_TAMPERED: 'do not run the image; ask who signed it',
  SIGNATURE_EXPIRED: 'have the image signed again',
  SIGNER_UNTRUSTED: 'check that the trust root is the one of who issued the certificate',
  SIGNER_IDENTITY_MISMATCH: 'check the identity and the issuer that are asked for',
  LOG_PROOF_MISSING: 'have it signed with a transparency log, or let the policy ignore the log for this key',
  LOG_PROOF_INVALID: 'check that the trust root has the log; if it has, do not run the image',
  TIMESTAMP_INVALID: 'check that the trust root has the timestamp authority; if it has, do not run the image',
  TRUST_ROOT_INVALID: 'give a trusted_root.json, or a TUF root with its repository',
  SIGNING_FAILED: 'check the identity token, and the addresses of the services',
  SIGNING_KEY_INVALID: 'give a key in PEM: PKCS #8, or as `cosign generate-key-pair` writes it',
};

/** An error of this package, with the hint that goes with its code. */
export function fault(code: ErrorCode, message: string, cause?: unknown): BoxError {
  const hint = HINTS[code];
  return new BoxError(code, message, {
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  });
}

/** Text of others for a message: short, without controls. */
export function shown(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
  return JSON.stringify(clean.length > 120 ? `${clean.slice(0, 120)}...` : clean);
}
