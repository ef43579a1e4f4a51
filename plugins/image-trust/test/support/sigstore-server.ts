/** Fulcio, Rekor and a timestamp authority as services on loopback. */
import { createHash, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { pemOf, timestampOverDigest } from './certificates.ts';
import type { FakeSigstore } from './fake-sigstore.ts';

export interface SigstoreServer extends AsyncDisposable {
  /** Of all three. */
  readonly url: string;
  /** What Fulcio takes. */
  readonly token: string;
  /** Paths that were asked for. */
  readonly requests: readonly string[];
}

const EMAIL = 'dev@example.com';

/** @param broken path that answers with an error of the server */
export async function sigstoreServer(sigstore: FakeSigstore, broken?: string): Promise<SigstoreServer> {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'none' })}.${part({ iss: 'https://accounts.example', sub: '1', email: EMAIL, email_verified: true })}.c2lnbmF0dXJl`;
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    answer(path, request).then(
      ([status, body]) => {
        const type = Buffer.isBuffer(body) ? 'application/timestamp-reply' : 'application/json';
        response.writeHead(status, { 'content-type': type });
        response.end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
      },
      () => response.writeHead(400).end(),
    );
  });
  const answer = async (path: string, request: IncomingMessage): Promise<[number, object]> => {
    if (path === broken) return [500, { message: 'out of order' }];
    if (path === '/api/v2/signingCert') return certificate((await json(request)) as CertificateRequest);
    if (path === '/api/v1/log/entries') return [201, entry((await json(request)) as EntryRequest)];
    if (path !== '/api/v1/timestamp') return [404, {}];
    const { artifactHash } = (await json(request)) as { artifactHash: string };
    const { tsa, tsaRoot, now } = sigstore;
    return [201, timestampOverDigest(Buffer.from(artifactHash, 'base64'), tsa, tsaRoot, now)];
  };

  const certificate = ({ credentials, publicKeyRequest }: CertificateRequest): [number, object] => {
    if (credentials.oidcIdentityToken !== token) return [401, { message: 'the token is not good' }];
    const spki = createPublicKey(publicKeyRequest.publicKey.content).export({ format: 'der', type: 'spki' });
    const chain = [sigstore.certificate({ email: EMAIL, spki }), sigstore.fulcio, sigstore.root];
    const certificates = chain.map(({ der }) => pemOf('CERTIFICATE', der));
    return [200, { signedCertificateEmbeddedSct: { chain: { certificates } } }];
  };

  const entry = ({ spec }: EntryRequest): object => {
    const { envelope, verifiers } = spec.proposedContent;
    const { payload, signatures } = JSON.parse(envelope) as { payload: string; signatures: { sig: string }[] };
    const sha256 = (bytes: Buffer | string) => ({
      algorithm: 'sha256',
      value: createHash('sha256').update(bytes).digest('hex'),
    });
    const logged = sigstore.log({
      kind: 'dsse',
      apiVersion: '0.0.1',
      spec: {
        envelopeHash: sha256(envelope),
        payloadHash: sha256(Buffer.from(payload, 'base64')),
        signatures: signatures.map(({ sig }, index) => ({ signature: sig, verifier: verifiers[index] })),
      },
    });
    const hex = (text: string): string => Buffer.from(text, 'base64').toString('hex');
    const { inclusionProof: proof } = logged;
    return {
      ['a'.repeat(64)]: {
        body: logged.canonicalizedBody,
        integratedTime: Number(logged.integratedTime),
        logID: hex(logged.logId.keyId),
        logIndex: Number(logged.logIndex),
        verification: {
          inclusionProof: {
            logIndex: Number(proof.logIndex),
            treeSize: Number(proof.treeSize),
            rootHash: hex(proof.rootHash),
            hashes: proof.hashes.map(hex),
            checkpoint: proof.checkpoint.envelope,
          },
          signedEntryTimestamp: logged.inclusionPromise?.signedEntryTimestamp,
        },
      },
    };
  };

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

interface CertificateRequest {
  readonly credentials: { readonly oidcIdentityToken: string };
  readonly publicKeyRequest: { readonly publicKey: { readonly content: string } };
}

interface EntryRequest {
  readonly spec: { readonly proposedContent: { readonly envelope: string; readonly verifiers: readonly string[] } };
}
