/** Certificates, with SCTs in them where they are of a signer, and RFC 3161 timestamps. */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { bits, explicit, implicit, integer, octets, oid, sequence, set, time, utf8, yes } from './der.ts';

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'));
const EXTENSIONS = {
  keyUsage: '2.5.29.15',
  subjectKeyId: '2.5.29.14',
  authorityKeyId: '2.5.29.35',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
  subjectAlternativeName: '2.5.29.17',
  fulcioIssuer: '1.3.6.1.4.1.57264.1.8',
  scts: '1.3.6.1.4.1.11129.2.4.2',
};
export const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
export const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly spki: Buffer;
}

/** Somebody who issues certificates or has one. */
export interface Holder extends KeyPair {
  readonly name: Buffer;
  readonly serial: Buffer;
  readonly der: Buffer;
}

export interface Validity {
  readonly from: Date;
  readonly to: Date;
}

export function keyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, publicKey, spki: publicKey.export({ format: 'der', type: 'spki' }) };
}

export const idOf = ({ spki }: Pick<KeyPair, 'spki'>): Buffer => createHash('sha256').update(spki).digest();

function extension(id: string, value: Uint8Array, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [yes()] : []), octets(value));
}

function nameOf(text: string): Buffer {
  return text === '' ? sequence() : sequence(set(sequence(oid('2.5.4.3'), utf8(text))));
}

interface Shape {
  readonly keys: KeyPair;
  readonly name: Buffer;
  readonly issuer: Pick<Holder, 'name' | 'privateKey' | 'spki'>;
  readonly validity: Validity;
  readonly serial: Buffer;
}

function tbsOf({ keys, name, issuer, validity, serial }: Shape, extensions: readonly Buffer[]): Buffer {
  return sequence(
    explicit(0, integer(2)),
    integer(serial),
    ECDSA_SHA256,
    issuer.name,
    sequence(time(validity.from), time(validity.to)),
    name,
    keys.spki,
    explicit(
      3,
      sequence(
        ...extensions,
        extension(EXTENSIONS.subjectKeyId, octets(idOf(keys).subarray(0, 20))),
        extension(EXTENSIONS.authorityKeyId, sequence(implicit(0, idOf(issuer).subarray(0, 20)))),
      ),
    ),
  );
}

function signed(tbs: Buffer, issuer: Pick<Holder, 'privateKey'>): Buffer {
  return sequence(tbs, ECDSA_SHA256, bits(sign('sha256', tbs, issuer.privateKey)));
}

/** @param issuer absent for a root */
export function authority(text: string, validity: Validity, issuer?: Holder): Holder {
  const keys = keyPair();
  const name = nameOf(text);
  const by = issuer ?? { ...keys, name };
  const serial = Buffer.concat([Buffer.of(1), randomBytes(15)]);
  const tbs = tbsOf({ keys, name, issuer: by, validity, serial }, [
    extension(EXTENSIONS.keyUsage, bits(Buffer.of(0x06), 1), true),
    extension(EXTENSIONS.basicConstraints, sequence(yes()), true),
  ]);
  return { ...keys, name, serial, der: signed(tbs, by) };
}

export function timestampAuthority(text: string, validity: Validity, issuer: Holder): Holder {
  const keys = keyPair();
  const name = nameOf(text);
  const serial = Buffer.concat([Buffer.of(1), randomBytes(15)]);
  const tbs = tbsOf({ keys, name, issuer, validity, serial }, [
    extension(EXTENSIONS.keyUsage, bits(Buffer.of(0x80), 7), true),
    extension(EXTENSIONS.extendedKeyUsage, sequence(oid(TIME_STAMPING)), true),
  ]);
  return { ...keys, name, serial, der: signed(tbs, issuer) };
}

export interface SignerOptions {
  readonly email: string;
  readonly oidcIssuer: string;
  readonly validity: Validity;
  /** Signs the SCT; absent for a certificate without. */
  readonly ctLog?: KeyPair | undefined;
  readonly usage?: string;
  /** Public key (SubjectPublicKeyInfo) that it is for. Default: a new one. */
  readonly spki?: Buffer;
}

/** A certificate as Fulcio issues: for an identity, a few minutes long, in a certificate transparency log. */
export function signerCertificate(issuer: Holder, options: SignerOptions): Holder {
  const keys = { ...keyPair(), ...(options.spki && { spki: options.spki }) };
  const name = nameOf('');
  const serial = Buffer.concat([Buffer.of(1), randomBytes(15)]);
  const shape = { keys, name, issuer, validity: options.validity, serial };
  const extensions = [
    extension(EXTENSIONS.keyUsage, bits(Buffer.of(0x80), 7), true),
    extension(EXTENSIONS.extendedKeyUsage, sequence(oid(options.usage ?? CODE_SIGNING))),
    extension(EXTENSIONS.subjectAlternativeName, sequence(implicit(1, Buffer.from(options.email))), true),
    extension(EXTENSIONS.fulcioIssuer, utf8(options.oidcIssuer)),
  ];
  if (options.ctLog) {
    const scts = sctList(options.ctLog, tbsOf(shape, extensions), issuer, options.validity.from);
    extensions.push(extension(EXTENSIONS.scts, octets(scts)));
  }
  // The certificate transparency log signs what is left when its extension is taken out, wherever that is.
  return { ...keys, name, serial, der: signed(tbsOf(shape, extensions), issuer) };
}

function sctList(log: KeyPair, tbs: Buffer, issuer: Holder, date: Date): Buffer {
  const at = Buffer.alloc(8);
  at.writeBigUInt64BE(BigInt(date.getTime()));
  const precertificate = Buffer.concat([
    Buffer.of(0, 0),
    at,
    Buffer.of(0, 1),
    idOf(issuer),
    uint(tbs.length, 3),
    tbs,
    uint(0, 2),
  ]);
  const signature = sign('sha256', precertificate, log.privateKey);
  const sct = Buffer.concat([
    Buffer.of(0),
    idOf(log),
    at,
    uint(0, 2),
    Buffer.of(4, 3),
    uint(signature.length, 2),
    signature,
  ]);
  return Buffer.concat([uint(sct.length + 2, 2), uint(sct.length, 2), sct]);
}

function uint(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

/** An answer of a timestamp authority (RFC 3161) over some bytes. */
export function timestampOver(data: Uint8Array, tsa: Holder, issuer: Holder, date: Date): Buffer {
  return timestampOverDigest(createHash('sha256').update(data).digest(), tsa, issuer, date);
}

/** An answer of a timestamp authority over a SHA-256. */
export function timestampOverDigest(digest: Buffer, tsa: Holder, issuer: Holder, date: Date): Buffer {
  const info = sequence(
    integer(1),
    oid('1.3.6.1.4.1.57264.2'),
    sequence(SHA256, octets(digest)),
    integer(7),
    time(date),
  );
  const contentType = oid('1.2.840.113549.1.9.16.1.4');
  const attributes = [
    sequence(oid('1.2.840.113549.1.9.3'), set(contentType)),
    sequence(oid('1.2.840.113549.1.9.4'), set(octets(createHash('sha256').update(info).digest()))),
  ];
  const signerInfo = sequence(
    integer(1),
    sequence(issuer.name, integer(tsa.serial)),
    SHA256,
    explicit(0, ...attributes),
    ECDSA_SHA256,
    octets(sign('sha256', set(...attributes), tsa.privateKey)),
  );
  const signedData = sequence(
    integer(3),
    set(SHA256),
    sequence(contentType, explicit(0, octets(info))),
    set(signerInfo),
  );
  return sequence(sequence(integer(0)), sequence(oid('1.2.840.113549.1.7.2'), explicit(0, signedData)));
}

export function pemOf(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END ${label}-----\n`;
}
