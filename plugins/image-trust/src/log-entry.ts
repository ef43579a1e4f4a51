import { X509Certificate, createPublicKey, type KeyObject } from 'node:crypto';
import type { TransparencyLogEntry } from '@sigstore/bundle';
import { fault } from './fault.js';
import { isObject, parseObject } from './json.js';

/**
 * Checks of a log's entry what the sigstore verifier leaves open: fields that no signature covers must say what the
 * covered ones do, and the entry must be of the very key or certificate that signed.
 * @param signer the signer's key in DER (SubjectPublicKeyInfo), or certificate in DER
 * @throws LOG_PROOF_INVALID, SIGNATURE_TAMPERED, SIGNATURE_MALFORMED
 */
export function checkLogEntry(entry: TransparencyLogEntry, signer: Buffer): void {
  const { inclusionProof: proof, inclusionPromise: promise } = entry;
  if (proof !== undefined) {
    const envelope = proof.checkpoint?.envelope ?? '';
    checkNote(envelope);
    const [, size, root] = envelope.split('\n', 3);
    if (proof.treeSize !== size || Buffer.from(proof.rootHash).toString('base64') !== root) {
      throw fault('LOG_PROOF_INVALID', 'inclusion proof says something else than its checkpoint');
    }
  }
  if (promise === undefined) {
    // Without a promise, which signs both, the time is not known and the place is that of the proof.
    if (entry.integratedTime !== '0' || entry.logIndex !== proof?.logIndex) {
      throw fault('LOG_PROOF_INVALID', 'log entry has a time or an index that nothing proves');
    }
  }
  if (!signersOf(entry).some((logged) => logged.equals(signer))) {
    throw fault('SIGNATURE_TAMPERED', 'log entry is of another signer');
  }
}

/** A signed note has its signatures one a line after an empty one, and nothing else. */
function checkNote(envelope: string): void {
  const end = envelope.indexOf('\n\n');
  const lines = end === -1 ? [] : envelope.slice(end + 2).split('\n');
  const last = lines.pop();
  const isSound = lines.every((line) => {
    const signature = /^\u2014 \S+ (\S+)$/.exec(line)?.[1];
    return signature !== undefined && Buffer.from(signature, 'base64').toString('base64') === signature;
  });
  if (last !== '' || lines.length === 0 || !isSound) {
    throw fault('LOG_PROOF_INVALID', 'checkpoint of the log is no signed note');
  }
}

function signersOf({ canonicalizedBody }: TransparencyLogEntry): Buffer[] {
  const body = parseObject(canonicalizedBody, 'log entry');
  const spec = body['spec'];
  const found = [
    // hashedrekord 0.0.1
    at(spec, 'signature', 'publicKey', 'content'),
    // dsse 0.0.1
    at(spec, 'signatures', 0, 'verifier'),
    // intoto 0.0.2
    at(spec, 'content', 'envelope', 'signatures', 0, 'publicKey'),
  ].filter((it) => typeof it === 'string');
  // Version 0.0.2 of hashedrekord and dsse has the DER itself.
  const plain = ['hashedRekordV002', 'dsseV002'].flatMap((kind) =>
    [['signature'], ['signatures', 0]].flatMap((place) => [
      at(spec, kind, ...place, 'verifier', 'x509Certificate', 'rawBytes'),
      at(spec, kind, ...place, 'verifier', 'publicKey', 'rawBytes'),
    ]),
  );
  return [
    ...found.map((text) => derOf(Buffer.from(text, 'base64').toString())),
    ...plain.filter((it) => typeof it === 'string').map((text) => Buffer.from(text, 'base64')),
  ];
}

function derOf(pem: string): Buffer {
  try {
    return pem.includes('CERTIFICATE')
      ? new X509Certificate(pem).raw
      : createPublicKey(pem).export({ format: 'der', type: 'spki' });
  } catch (error) {
    throw fault('SIGNATURE_MALFORMED', 'log entry names a signer that cannot be read', error);
  }
}

function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((it, step) => {
    if (typeof step === 'number') return Array.isArray(it) ? (it as unknown[])[step] : undefined;
    return isObject(it) && Object.hasOwn(it, step) ? it[step] : undefined;
  }, value);
}

/** A key as log entries have it. */
export function derOfKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}
