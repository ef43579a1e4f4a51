/** A token service for docker-registry (distribution, "Token Authentication Specification"). */
import { createSign, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { derOf } from './test-authority.ts';

export interface TokenServer extends AsyncDisposable {
  readonly realm: string;
  /** What tokens were asked for, in order. */
  readonly scopes: readonly string[];
}

export interface TokenServerOptions {
  readonly certificate: string;
  readonly key: string;
  /** `name:password` of who may push; anybody may pull from repositories that begin with `public/`. */
  readonly user: string;
}

export async function tokenServer({ certificate, key, user }: TokenServerOptions): Promise<TokenServer> {
  const scopes: string[] = [];
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const tokenFor = (request: IncomingMessage): string | undefined => {
    const { authorization } = request.headers;
    const known = authorization === `Basic ${Buffer.from(user).toString('base64')}`;
    if (authorization !== undefined && !known) return undefined;
    const asked = new URL(request.url ?? '', 'http://x').searchParams.getAll('scope');
    scopes.push(...asked);
    const access = asked.map((scope) => {
      const [type = '', name = '', actions = ''] = scope.split(':');
      const granted = known ? actions.split(',') : name.startsWith('public/') ? ['pull'] : [];
      return { type, name, actions: granted };
    });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'test', sub: '', aud: 'registry', exp: now + 300, nbf: now - 60, iat: now, access };
    const head = part({ typ: 'JWT', alg: 'ES256', x5c: [derOf(certificate)] });
    const text = `${head}.${part({ ...claims, jti: randomBytes(8).toString('hex') })}`;
    const signature = createSign('sha256')
      .update(text)
      .sign({ key: readFileSync(key, 'utf8'), dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  };
  const server = createServer((request, response) => {
    const token = tokenFor(request);
    response.writeHead(token === undefined ? 401 : 200);
    response.end(token === undefined ? '' : JSON.stringify({ token, expires_in: 300 }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    scopes,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
