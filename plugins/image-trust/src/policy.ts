import { createHash, type KeyObject } from 'node:crypto';
import { hintOf } from './public-key.js';
import type { Identity, TextMatch } from './requirement.js';

/** What holds for images of a registry or repository. */
export type Rule =
  | { readonly type: 'accept'; readonly warn: boolean }
  | { readonly type: 'reject'; readonly reason?: string }
  | { readonly type: 'key'; readonly keys: readonly KeyObject[]; readonly log: 'required' | 'ignored' }
  | { readonly type: 'keyless'; readonly identities: readonly Identity[] };

/** Where the trust root is: a trusted_root.json, or a TUF root and its repository (a directory or an https address). */
export type TrustRootSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'tuf'; readonly root: string; readonly repository: string };

/** Who must have signed the images of which repositories. */
export interface Policy {
  /** What it is called in messages. */
  readonly name: string;
  readonly trustRoot?: TrustRootSource;
  readonly fallback: Rule;
  /** By `registry` or `registry/path`, without a slash at the end. */
  readonly rules: ReadonlyMap<string, Rule>;
}

export interface Decision {
  readonly policy: Policy;
  readonly rule: Rule;
  /** The rule's key; undefined for the default. */
  readonly prefix?: string;
}

/**
 * The rule of a policy for a repository: of the prefixes that end where a part of the name ends, the longest.
 * @param repository in full, for example `docker.io/library/alpine`
 */
export function decide(policy: Policy, repository: string): Decision {
  for (let prefix = repository; prefix !== ''; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf('/')))) {
    const rule = policy.rules.get(prefix);
    if (rule !== undefined) return { policy, rule, prefix };
  }
  return { policy, rule: policy.fallback };
}

/** Names what a rule asks for: of two that ask for the same it is equal. Keys count by what they are, files by their paths. */
export function ruleId({ trustRoot }: Policy, rule: Rule): string {
  return createHash('sha256')
    .update(JSON.stringify([askedFor(rule), trustRoot]))
    .digest('hex');
}

function askedFor(rule: Rule): unknown {
  switch (rule.type) {
    case 'key':
      return [rule.type, rule.log, rule.keys.map(hintOf).toSorted()];
    case 'keyless':
      return [rule.type, rule.identities.map(({ subject, issuer }) => [textOf(subject), textOf(issuer)])];
    default:
      return [rule.type];
  }
}

function textOf(match: TextMatch): unknown {
  return 'is' in match ? [match.is] : [match.matches.source, 'pattern'];
}
