import { BoxError } from '@a3s-box/core';

/** What a registry asks for a token with (distribution, "Token Authentication Specification"). */
export interface TokenChallenge {
  readonly realm: URL;
  readonly service?: string;
}

const MAX_TOKEN = 64 * 1024;

/** Reads a `WWW-Authenticate` header. @returns undefined when no bearer token is asked for */
export function parseChallenge(header: string): TokenChallenge | undefined {
  const bearer = /^\s*bearer\s+(.*)$/is.exec(header)?.[1];
  if (bearer === undefined) return undefined;
  const fields = new Map<string, string>();
  for (const [, key, quoted, bare] of bearer.matchAll(/([a-z_]+)=(?:"([^"]*)"|([^\s,"]+))/gi)) {
    fields.set((key as string).toLowerCase(), quoted ?? bare ?? '');
  }
  const realm = fields.get('realm');
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const service = fields.get('service');
  return { realm: new URL(realm), ...(service === undefined ? {} : { service }) };
}

/** Gets a token to read a repository, anonymously. @throws REGISTRY_DENIED, REGISTRY_FAILED */
export async function fetchToken(challenge: TokenChallenge, repository: string, signal: AbortSignal): Promise<string> {
  const url = new URL(challenge.realm);
  if (challenge.service !== undefined) url.searchParams.set('service', challenge.service);
  url.searchParams.set('scope', `repository:${repository}:pull`);
  const response = await fetch(url, { signal, redirect: 'error' }).catch((cause: unknown) => {
    throw new BoxError('REGISTRY_FAILED', `token service ${url.host} cannot be reached`, { cause });
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new BoxError('REGISTRY_DENIED', `token service ${url.host} answers with status ${response.status}`, {
      hint: 'check the name; only images that anybody may read can be pulled',
    });
  }
  const text = await boundedText(response).catch((cause: unknown) => {
    throw new BoxError('REGISTRY_FAILED', `token service ${url.host} breaks off its answer`, { cause });
  });
  const token = text === undefined ? undefined : tokenOf(text);
  if (token === undefined) throw new BoxError('REGISTRY_FAILED', `token service ${url.host} gives no token`);
  return token;
}

/** The body, unless it is longer than a token can be: then no more of it is read. */
async function boundedText(response: Response): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > MAX_TOKEN) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function tokenOf(text: string): string | undefined {
  try {
    const { token, access_token: other } = JSON.parse(text) as { token?: unknown; access_token?: unknown };
    const found = token ?? other;
    // It becomes a header, so nothing that could end one.
    return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
