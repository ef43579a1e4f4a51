/** Fulcio, a certificate transparency log, Rekor and a timestamp authority, in memory, with their trust root. */
import { createHash, sign, type KeyObject } from 'node:crypto';
import {
  authority,
  idOf,
  keyPair,
  pemOf,
  signerCertificate,
  timestampAuthority,
  timestampOver,
  type Holder,
  type KeyPair,
  type Validity,
} from './certificates.ts';

const YEAR = 365 * 86_400_000;
const REKOR = 'rekor.example';

/** Sorted and without spaces (RFC 8785), for values that need no more than that. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, it]) => `${JSON.stringify(name)}:${canonical(it)}`).join(',')}}`;
}

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export interface LogEntryJson {
  logIndex: string;
  logId: { keyId: string };
  kindVersion: { kind: string; version: string };
  integratedTime?: string;
  inclusionPromise?: { signedEntryTimestamp: string };
  inclusionProof: {
    logIndex: string;
    rootHash: string;
    treeSize: string;
    hashes: string[];
    checkpoint: { envelope: string };
  };
  canonicalizedBody: string;
}

export class FakeSigstore {
  readonly now: Date;
  readonly root: Holder;
  readonly fulcio: Holder;
  readonly ctLog: KeyPair = keyPair();
  readonly rekor: KeyPair = keyPair();
  readonly tsaRoot: Holder;
  readonly tsa: Holder;

  constructor(now = new Date('2026-01-02T03:04:05Z')) {
    this.now = now;
    const validity = this.around(YEAR);
    this.root = authority('fake root', validity);
    this.fulcio = authority('fake fulcio', validity, this.root);
    this.tsaRoot = authority('fake timestamp root', validity);
    this.tsa = timestampAuthority('fake timestamps', validity, this.tsaRoot);
  }

  around(milliseconds: number): Validity {
    return { from: new Date(this.now.getTime() - milliseconds), to: new Date(this.now.getTime() + milliseconds) };
  }

  /** A certificate of ten minutes. */
  certificate(options: Partial<Parameters<typeof signerCertificate>[1]> = {}, issuer = this.fulcio): Holder {
    return signerCertificate(issuer, {
      email: 'dev@example.com',
      oidcIssuer: 'https://accounts.example',
      validity: this.around(300_000),
      ctLog: this.ctLog,
      ...options,
    });
  }

  timestamp(data: Uint8Array, date = this.now): string {
    return timestampOver(data, this.tsa, this.tsaRoot, date).toString('base64');
  }

  /** Takes an entry into a log of 11 entries, and proves it. */
  log(body: { kind: string; apiVersion: string; spec: unknown }, date = this.now): LogEntryJson {
    const canonicalizedBody = Buffer.from(canonical(body));
    const leaves = Array.from({ length: 11 }, (_, index) => sha256(Buffer.of(0), Buffer.from(`entry ${index}`)));
    const index = 6;
    leaves[index] = sha256(Buffer.of(0), canonicalizedBody);
    const root = treeHash(leaves);
    const logIndex = 1_000_000 + index;
    const integratedTime = Math.floor(date.getTime() / 1000);
    const promised = canonical({
      body: canonicalizedBody.toString('base64'),
      integratedTime,
      logIndex,
      logID: idOf(this.rekor).toString('hex'),
    });
    return {
      logIndex: String(logIndex),
      logId: { keyId: idOf(this.rekor).toString('base64') },
      kindVersion: { kind: body.kind, version: body.apiVersion },
      integratedTime: String(integratedTime),
      inclusionPromise: {
        signedEntryTimestamp: sign('sha256', Buffer.from(promised), this.rekor.privateKey).toString('base64'),
      },
      inclusionProof: {
        logIndex: String(index),
        rootHash: root.toString('base64'),
        treeSize: String(leaves.length),
        hashes: auditPath(leaves, index).map((hash) => hash.toString('base64')),
        checkpoint: { envelope: this.checkpoint(leaves.length, root) },
      },
      canonicalizedBody: canonicalizedBody.toString('base64'),
    };
  }

  private checkpoint(size: number, root: Buffer): string {
    const note = `${REKOR} - 42\n${size}\n${root.toString('base64')}\n`;
    const signature = Buffer.concat([
      idOf(this.rekor).subarray(0, 4),
      sign('sha256', Buffer.from(note), this.rekor.privateKey),
    ]);
    return `${note}\n\u2014 ${REKOR} ${signature.toString('base64')}\n`;
  }

  /** What a verifier trusts, as trusted_root.json has it. */
  trustedRoot(): object {
    const log = (url: string, keys: KeyPair): object => ({
      baseUrl: url,
      hashAlgorithm: 'SHA2_256',
      publicKey: {
        rawBytes: keys.spki.toString('base64'),
        keyDetails: 'PKIX_ECDSA_P256_SHA_256',
        validFor: { start: this.around(YEAR).from.toISOString() },
      },
      logId: { keyId: idOf(keys).toString('base64') },
    });
    const chain = (...holders: Holder[]): object => ({
      subject: { organization: 'fake', commonName: 'fake' },
      uri: 'https://fake.example',
      certChain: { certificates: holders.map(({ der }) => ({ rawBytes: der.toString('base64') })) },
      validFor: { start: this.around(YEAR).from.toISOString() },
    });
    return {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [log(`https://${REKOR}`, this.rekor)],
      certificateAuthorities: [chain(this.fulcio, this.root)],
      ctlogs: [log('https://ctfe.example', this.ctLog)],
      timestampAuthorities: [chain(this.tsa, this.tsaRoot)],
    };
  }
}

/** RFC 6962, section 2.1. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves;
  if (leaves.length === 1 && only) return only;
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

/** RFC 6962, section 2.1.1. */
function auditPath(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length === 1) return [];
  const split = 2 ** Math.floor(Math.log2(leaves.length - 1));
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...auditPath(left, index), treeHash(right)]
    : [...auditPath(right, index - split), treeHash(left)];
}

export function preAuthEncoding(type: string, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}

export function statement(digest: string, predicateType: string, predicate: object = {}): Buffer {
  const subject = [{ digest: { sha256: digest.slice(7) } }];
  return Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', subject, predicateType, predicate }));
}

export const SIGNATURE_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
export const STATEMENT = 'application/vnd.in-toto+json';

export interface BundleOptions {
  readonly digest: string;
  readonly predicateType?: string;
  readonly predicate?: object;
  /** Who signs: a holder of a certificate, or a key. */
  readonly signer: Holder | KeyPair;
  /** Default: the authorities' clock. */
  readonly date?: Date;
  readonly timestamp?: boolean;
  readonly log?: boolean;
}

/** A bundle as cosign 3 makes it: an envelope, its signature, the log's entry. */
export function makeBundle(sigstore: FakeSigstore, options: BundleOptions): Record<string, unknown> {
  const { signer, date = sigstore.now } = options;
  const payload = statement(options.digest, options.predicateType ?? SIGNATURE_PREDICATE, options.predicate);
  const signature = sign('sha256', preAuthEncoding(STATEMENT, payload), signer.privateKey);
  const pem = 'der' in signer ? pemOf('CERTIFICATE', signer.der) : pemOf('PUBLIC KEY', signer.spki);
  const body = {
    kind: 'dsse',
    apiVersion: '0.0.1',
    spec: {
      envelopeHash: { algorithm: 'sha256', value: '00'.repeat(32) },
      payloadHash: { algorithm: 'sha256', value: sha256(payload).toString('hex') },
      signatures: [{ signature: signature.toString('base64'), verifier: Buffer.from(pem).toString('base64') }],
    },
  };
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      ...('der' in signer
        ? { certificate: { rawBytes: signer.der.toString('base64') } }
        : { publicKey: { hint: idOf(signer).toString('base64') } }),
      ...(options.log !== false && { tlogEntries: [sigstore.log(body, date)] }),
      ...(options.timestamp && {
        timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: sigstore.timestamp(signature, date) }] },
      }),
    },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType: STATEMENT,
      signatures: [{ sig: signature.toString('base64') }],
    },
  };
}

/** A signature in the older format: payload and annotations of its layer. */
export function makeSimple(
  sigstore: FakeSigstore,
  digest: string,
  signer: Holder,
): { readonly payload: Buffer; readonly annotations: Record<string, string> } {
  const critical = {
    identity: { 'docker-reference': 'registry.example/app' },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  };
  const payload = Buffer.from(JSON.stringify({ critical, optional: null }));
  const signature = sign('sha256', payload, signer.privateKey).toString('base64');
  const pem = pemOf('CERTIFICATE', signer.der);
  const entry = sigstore.log({
    kind: 'hashedrekord',
    apiVersion: '0.0.1',
    spec: {
      data: { hash: { algorithm: 'sha256', value: sha256(payload).toString('hex') } },
      signature: { content: signature, publicKey: { content: Buffer.from(pem).toString('base64') } },
    },
  });
  const bundle = {
    SignedEntryTimestamp: entry.inclusionPromise?.signedEntryTimestamp,
    Payload: {
      body: entry.canonicalizedBody,
      integratedTime: Number(entry.integratedTime),
      logIndex: Number(entry.logIndex),
      logID: Buffer.from(entry.logId.keyId, 'base64').toString('hex'),
    },
  };
  return {
    payload,
    annotations: {
      'dev.cosignproject.cosign/signature': signature,
      'dev.sigstore.cosign/certificate': pem,
      'dev.sigstore.cosign/bundle': JSON.stringify(bundle),
    },
  };
}

export type { Holder, KeyObject };
