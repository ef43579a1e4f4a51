/** A TUF repository with one target, all roles with one key. */
import { createHash, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Metadata, MetaFile, Root, Signature, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import { idOf, type KeyPair } from './certificates.ts';

export interface TufRepository {
  readonly keys: KeyPair;
  /** Of timestamp, snapshot and targets; the root is always version 1. */
  readonly version: number;
  readonly target: Buffer;
  readonly expires?: string;
  /** Signs in place of the key that the root names. */
  readonly signer?: KeyPair;
}

const ROLES = ['root', 'timestamp', 'snapshot', 'targets'];

export function writeTufRepository(directory: string, options: TufRepository): void {
  const { keys, version, target, expires = '2100-01-01T00:00:00Z', signer = keys } = options;
  const keyID = idOf(keys).toString('hex');
  const publicKey = keys.publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const key = { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: publicKey } };
  const base = { version, specVersion: '1.0.31', expires };
  const write = (name: string, signed: Root | Timestamp | Snapshot | Targets, by: KeyPair): Buffer => {
    const metadata = new Metadata(signed as Root);
    metadata.sign((data) => new Signature({ keyID, sig: sign('sha256', data, by.privateKey).toString('hex') }));
    const bytes = Buffer.from(JSON.stringify(metadata.toJSON()));
    writeFileSync(join(directory, name), bytes);
    return bytes;
  };
  const roles = Object.fromEntries(ROLES.map((role) => [role, { keyids: [keyID], threshold: 1 }]));
  const root = { _type: 'root', version: 1, spec_version: '1.0.31', expires: '2100-01-01T00:00:00Z' };
  write('1.root.json', Root.fromJSON({ ...root, consistent_snapshot: true, keys: { [keyID]: key }, roles }), keys);
  const hash = createHash('sha256').update(target).digest('hex');
  const file = new TargetFile({ path: 'trusted_root.json', length: target.length, hashes: { sha256: hash } });
  write(`${version}.targets.json`, new Targets({ ...base, targets: { 'trusted_root.json': file } }), signer);
  write(
    `${version}.snapshot.json`,
    new Snapshot({ ...base, meta: { 'targets.json': new MetaFile({ version }) } }),
    signer,
  );
  write('timestamp.json', new Timestamp({ ...base, snapshotMeta: new MetaFile({ version }) }), signer);
  mkdirSync(join(directory, 'targets'), { recursive: true });
  writeFileSync(join(directory, 'targets', `${hash}.trusted_root.json`), target);
}
