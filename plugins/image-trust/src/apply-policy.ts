import { BoxError } from '@a3s-box/core';
import { fault, shown } from './fault.js';
import { decide, ruleId, type Decision, type Policy } from './policy.js';
import type { Requirement } from './requirement.js';
import type { SignatureSource } from './signature-registry.js';
import type { TrustRoot } from './trust-root.js';
import { verifyImage, type VerifiedSignature } from './verify-image.js';

export interface PolicySubject {
  /** In full, for example `docker.io/library/alpine`. */
  readonly repository: string;
  /** Of the image's manifest, and of the index that led to it. */
  readonly digests: readonly string[];
  /** Called when a signature has to be looked for. */
  readonly source: () => Promise<SignatureSource>;
  /** Rules (by `ruleId`) that it is known to fulfil. */
  readonly fulfilled?: ReadonlySet<string>;
  /** Of a policy that has one. @throws TRUST_ROOT_INVALID */
  readonly trustRootOf: (policy: Policy) => Promise<TrustRoot>;
}

/** What policies have let through, and why. */
export interface Admission {
  readonly signatures: readonly VerifiedSignature[];
  /** Rules that the signatures fulfil, by `ruleId`. */
  readonly rules: readonly string[];
  /** Nothing asks for a signature, and somebody wants that to be said. */
  readonly unverified: boolean;
}

/**
 * Asks policies whether an image may be used; all of them must let it through, so that one that is locked holds whatever
 * the user's says.
 * @throws IMAGE_REJECTED, and as `verifyImage`
 */
export async function applyPolicies(policies: readonly Policy[], subject: PolicySubject): Promise<Admission> {
  const decisions = policies.map((policy) => decide(policy, subject.repository));
  for (const { rule, policy, prefix } of decisions) {
    if (rule.type !== 'reject') continue;
    const where = prefix === undefined ? 'by default' : `for ${prefix}`;
    const reason = rule.reason === undefined ? '' : `: ${shown(rule.reason)}`;
    throw fault('IMAGE_REJECTED', `image of ${subject.repository} is rejected ${where} by ${policy.name}${reason}`);
  }
  const signatures: VerifiedSignature[] = [];
  const rules: string[] = [];
  const asking = decisions.filter(({ rule }) => rule.type !== 'accept');
  for (const decision of asking) {
    const id = ruleId(decision.policy, decision.rule);
    if (subject.fulfilled?.has(id)) continue;
    const requirement = await requirementOf(decision, subject.trustRootOf);
    signatures.push(await verifyImage(await subject.source(), subject.digests, requirement));
    rules.push(id);
  }
  const unverified = asking.length === 0 && decisions.some(({ rule }) => rule.type === 'accept' && rule.warn);
  return { signatures, rules, unverified };
}

async function requirementOf(
  { rule, policy }: Decision,
  trustRootOf: PolicySubject['trustRootOf'],
): Promise<Requirement> {
  switch (rule.type) {
    case 'key':
      return { kind: 'key', keys: rule.keys, ...(rule.log === 'required' && { log: await trustRootOf(policy) }) };
    case 'keyless':
      return { kind: 'keyless', trustRoot: await trustRootOf(policy), identities: rule.identities };
    default:
      throw new BoxError('INTERNAL', `rule of the type ${rule.type} asks for no signature`);
  }
}
