import type { KeyObject } from 'node:crypto';
import type { TrustRoot } from './trust-root.js';

/** A text that must be this, or match this pattern as a whole. */
export type TextMatch = { readonly is: string } | { readonly matches: RegExp };

/** Who must have signed. */
export type Requirement =
  | {
      readonly kind: 'key';
      /** One of them. */
      readonly keys: readonly KeyObject[];
      /** The logs of this trust root must have recorded the signature. Without it logs and times are not looked at. */
      readonly log?: TrustRoot;
    }
  | { readonly kind: 'keyless'; readonly trustRoot: TrustRoot; readonly identities: readonly Identity[] }
  /** Anybody whose certificate is of the trust root. Says who signed, and is no ground for trust. */
  | { readonly kind: 'anybody'; readonly trustRoot: TrustRoot };

/** Who signed without a key of their own: a name and who vouches for it. */
export interface Identity {
  /** Of the certificate's subject alternative name: an e-mail address or a URI. */
  readonly subject: TextMatch;
  /** The OpenID Connect issuer. */
  readonly issuer: TextMatch;
}

/** Whose signature it was found to be. */
export type Signer =
  | { readonly kind: 'key'; readonly hint: string; readonly logged: boolean }
  | { readonly kind: 'certificate'; readonly subject: string; readonly issuer: string; readonly logged: true };

export function matches(match: TextMatch, text: string): boolean {
  if ('is' in match) return match.is === text;
  return match.matches.test(text);
}

/** That a text must be something, or else that a pattern matches it as a whole. @throws SyntaxError */
export function matchOf(text: string | undefined, pattern = ''): TextMatch {
  return text === undefined ? { matches: new RegExp(`^(?:${pattern})$`, 'u') } : { is: text };
}
