import { bundleToJSON } from '@sigstore/bundle';
import { fault, shown } from './fault.js';
import { STATEMENT_TYPE } from './statement.js';

/** What signs for somebody without a key of their own. Addresses are https, or http on this machine. */
export interface KeylessServices {
  /** OpenID Connect token of who signs. Goes to Fulcio alone. */
  readonly identityToken: string;
  /** Certificate authority. */
  readonly fulcioUrl: string;
  /** Transparency log. */
  readonly rekorUrl: string;
  /** Timestamp authority (RFC 3161). Absent: the log tells the time. */
  readonly timestampUrl?: string;
}

/** RFC 7519: three parts in base64url, the first two JSON objects. */
const TOKEN = /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*$/;
const PATIENCE = { timeout: 30_000, retry: { retries: 2 } };

/**
 * Signs a statement with a key that is made for it and thrown away: a certificate of Fulcio has it and the identity, and a log
 * has recorded it.
 * @returns a bundle, JSON
 * @throws INVALID_ARGUMENT for an address or token that is none, SIGNING_FAILED
 */
export async function keylessBundle(statement: Buffer, services: KeylessServices): Promise<unknown> {
  const { identityToken, fulcioUrl, rekorUrl, timestampUrl } = services;
  if (!TOKEN.test(identityToken)) throw fault('INVALID_ARGUMENT', 'identity token is no JSON Web Token');
  const { DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } = await import('@sigstore/sign');
  const builder = new DSSEBundleBuilder({
    signer: new FulcioSigner({
      ...PATIENCE,
      fulcioBaseURL: addressOf(fulcioUrl),
      identityProvider: { getToken: async () => identityToken },
    }),
    witnesses: [
      new RekorWitness({ ...PATIENCE, rekorBaseURL: addressOf(rekorUrl), entryType: 'dsse' }),
      ...(timestampUrl === undefined ? [] : [new TSAWitness({ ...PATIENCE, tsaBaseURL: addressOf(timestampUrl) })]),
    ],
  });
  try {
    return bundleToJSON(await builder.create({ data: statement, type: STATEMENT_TYPE }));
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = cause instanceof Error ? `${message}: ${cause.message}` : message;
    // A service may say again what it was sent; so the error itself is not kept either.
    throw fault('SIGNING_FAILED', `image cannot be signed: ${shown(reason.replaceAll(identityToken, '***'))}`);
  }
}

function addressOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(url?.hostname ?? '');
  if (url === undefined || !(url.protocol === 'https:' || (url.protocol === 'http:' && local))) {
    throw fault('INVALID_ARGUMENT', `${shown(text)} is no https address`);
  }
  return url.href.replace(/\/$/, '');
}
