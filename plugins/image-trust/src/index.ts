export { parsePublicKey } from './public-key.js';
export { generateKeyPair, isSealed, parsePrivateKey } from './private-key.js';
export { parseTrustRoot, type TrustRoot } from './trust-root.js';
export { matchOf, type Identity, type Requirement, type Signer, type TextMatch } from './requirement.js';
export type { Descriptor, SignatureSource, SignatureTarget, StoredManifest } from './signature-registry.js';
export { tagFor } from './signature-registry.js';
export { verifyAttestations, verifyImage, type VerifiedAttestation, type VerifiedSignature } from './verify-image.js';
export {
  attest,
  parsePredicate,
  signImage,
  signImageByTag,
  type ImageSigner,
  type Signing,
  type StoredSignature,
} from './sign-image.js';
export { predicateTypeOf, type Statement } from './statement.js';
export { listReferrers, type Referrer } from './referrers.js';
export { parseReferrers } from './manifests.js';
export { decide, ruleId, type Decision, type Policy, type Rule, type TrustRootSource } from './policy.js';
export { parsePolicy, readPolicyFile, type PolicySource } from './policy-file.js';
export { applyPolicies, type Admission, type PolicySubject } from './apply-policy.js';
export { trustRootFromTuf, type TufSource } from './trust-root-tuf.js';
