import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { BoxError } from '@a3s-box/core';
import {
  BoxClient,
  type ImageAttestation,
  type ImageSignature,
  type ImageSigner,
  type SignerQuery,
  type TrustRootPlace,
} from '@a3s-box/core/client';
import type { Input } from '../command.js';
import type { imageSignFlags, imageVerifyFlags } from '../commands/image-signatures.js';
import type { Invocation } from '../invocation.js';
import { ask } from './ask.js';
import { dockerCredentials } from './docker-credentials.js';
import { readStdin } from './read-stdin.js';

/** The sigstore project's own. */
const PUBLIC_FULCIO = 'https://fulcio.sigstore.dev';
const PUBLIC_REKOR = 'https://rekor.sigstore.dev';

type SignInput = Input<typeof imageSignFlags>;
type VerifyInput = Input<typeof imageVerifyFlags>;

/** `image sign`. */
export async function signImage({ flags, args }: SignInput, invocation: Invocation): Promise<number> {
  const [image = ''] = args;
  const attestation = attestationOf(flags);
  const signer = await imageSignerOf(flags, invocation);
  using client = await BoxClient.connect(invocation);
  const { digest, manifest } = await client.signatures.sign(image, {
    signer,
    ...(flags.format !== undefined && { format: flags.format }),
    ...(attestation && { attestation }),
    plainHttp: flags['plain-http'],
    credentials: dockerCredentials(invocation).find,
  });
  process.stdout.write(`Signed: ${digest}\nSignature: ${manifest}\n`);
  return 0;
}

/** `image verify`. */
export async function verifyImage({ flags, args }: VerifyInput, invocation: Invocation): Promise<number> {
  const [image = ''] = args;
  const signer = signerOf(flags);
  using client = await BoxClient.connect(invocation);
  const verified = await client.signatures.verify(image, {
    ...(signer && { signer }),
    ...(flags.type !== undefined && { predicateType: flags.type }),
    plainHttp: flags['plain-http'],
    credentials: dockerCredentials(invocation).find,
  });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify(verified)}\n`);
    return 0;
  }
  process.stdout.write(`Verified: ${verified.digest}\n`);
  for (const signature of verified.signatures) process.stdout.write(linesOf(signature));
  return 0;
}

function linesOf({ signer, format, manifest, attestation }: ImageSignature): string {
  const who = signer.kind === 'key' ? `key SHA256:${signer.key}` : `${signer.subject} (${signer.issuer})`;
  const line = `Signed by: ${who}, ${format} ${manifest}\n`;
  return attestation === undefined ? line : `${line}${JSON.stringify(attestation.predicate)}\n`;
}

function attestationOf({ type, predicate }: SignInput['flags']): ImageAttestation | undefined {
  if (type === undefined && predicate === undefined) return undefined;
  if (type === undefined || predicate === undefined) {
    throw new BoxError('INVALID_ARGUMENT', 'image sign: an attestation needs both --type and --predicate');
  }
  let value: unknown;
  try {
    value = JSON.parse(contentOf(predicate));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new BoxError('INVALID_ARGUMENT', `image sign: ${predicate} is no JSON: ${cause.message}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { predicateType: type, predicate: value as Record<string, unknown> };
  }
  throw new BoxError('INVALID_ARGUMENT', `image sign: ${predicate} is no JSON object`);
}

async function imageSignerOf(flags: SignInput['flags'], invocation: Invocation): Promise<ImageSigner> {
  const { key: file, 'identity-token': token, 'fulcio-url': fulcioUrl, 'rekor-url': rekorUrl } = flags;
  const timestampUrl = flags['timestamp-server-url'];
  const services = [fulcioUrl, rekorUrl, timestampUrl].some((it) => it !== undefined);
  if ((file === undefined) === (token === undefined)) {
    const what = file === undefined ? 'there is neither a key nor an identity token' : 'there is a key and a token';
    throw new BoxError('INVALID_ARGUMENT', `image sign: ${what}`, { hint: 'give --key, or --identity-token' });
  }
  const key = file === undefined ? undefined : contentOf(file);
  const sealed = key?.includes('-----BEGIN ENCRYPTED ') ?? false;
  if (flags['password-stdin'] && !sealed) {
    throw new BoxError('INVALID_ARGUMENT', 'image sign: there is no encrypted key that a password is for', {
      hint: 'leave --password-stdin away',
    });
  }
  if (token !== undefined) {
    const identityToken = (token === '-' ? await readStdin() : contentOf(token)).trim();
    return {
      kind: 'keyless',
      identityToken,
      fulcioUrl: fulcioUrl ?? PUBLIC_FULCIO,
      rekorUrl: rekorUrl ?? PUBLIC_REKOR,
      ...(timestampUrl !== undefined && { timestampUrl }),
    };
  }
  if (services) {
    throw new BoxError('INVALID_ARGUMENT', 'image sign: with a key no other services sign', {
      hint: 'leave --fulcio-url, --rekor-url and --timestamp-server-url away',
    });
  }
  if (!sealed) return { kind: 'key', key: key as string };
  return { kind: 'key', key: key as string, password: Buffer.from(await passwordOf(flags, invocation)) };
}

async function passwordOf(flags: SignInput['flags'], { environment }: Invocation): Promise<string> {
  if (flags['password-stdin']) return await readStdin();
  const { COSIGN_PASSWORD: given } = environment;
  if (given !== undefined) return given;
  if (process.stdin.isTTY) return await ask('Password of the key: ', { hidden: true });
  throw new BoxError('INVALID_ARGUMENT', 'image sign: the key is encrypted, and stdin is no terminal to ask at', {
    hint: 'give its password with --password-stdin or in COSIGN_PASSWORD',
  });
}

function signerOf(flags: VerifyInput['flags']): SignerQuery | undefined {
  const subject = flags['certificate-identity'];
  const subjectPattern = flags['certificate-identity-regexp'];
  const issuer = flags['certificate-oidc-issuer'];
  const issuerPattern = flags['certificate-oidc-issuer-regexp'];
  const trustRoot = trustRootOf(flags);
  const named = [subject, subjectPattern, issuer, issuerPattern].some((it) => it !== undefined);
  if (flags.key.length > 0) {
    if (named) throw new BoxError('INVALID_ARGUMENT', 'image verify: give a key or an identity, not both');
    return { kind: 'key', keys: flags.key.map(contentOf), ...(trustRoot && { log: trustRoot }) };
  }
  if (!named) {
    if (!trustRoot) return undefined;
    throw new BoxError('INVALID_ARGUMENT', 'image verify: a trust root alone does not say who must have signed', {
      hint: 'give --key, or --certificate-identity and --certificate-oidc-issuer',
    });
  }
  const both = [subject, subjectPattern].filter((it) => it !== undefined).length === 1;
  if (!both || [issuer, issuerPattern].filter((it) => it !== undefined).length !== 1) {
    throw new BoxError('INVALID_ARGUMENT', 'image verify: an identity is a name and its issuer, each in one way', {
      hint: 'give --certificate-identity or --certificate-identity-regexp, and the same of --certificate-oidc-issuer',
    });
  }
  if (!trustRoot) {
    throw new BoxError('INVALID_ARGUMENT', 'image verify: an identity needs a trust root', {
      hint: 'give --trusted-root, or --tuf-root and --tuf-repository',
    });
  }
  const identity = {
    ...(subject !== undefined && { subject }),
    ...(subjectPattern !== undefined && { subjectPattern }),
    ...(issuer !== undefined && { issuer }),
    ...(issuerPattern !== undefined && { issuerPattern }),
  };
  return { kind: 'keyless', identities: [identity], trustRoot };
}

function trustRootOf(flags: VerifyInput['flags']): TrustRootPlace | undefined {
  const { 'trusted-root': file, 'tuf-root': root, 'tuf-repository': repository } = flags;
  if ((root === undefined) !== (repository === undefined)) {
    throw new BoxError('INVALID_ARGUMENT', 'image verify: a TUF repository needs both --tuf-root and --tuf-repository');
  }
  if (root === undefined || repository === undefined) {
    return file === undefined ? undefined : { kind: 'document', text: contentOf(file) };
  }
  if (file !== undefined) throw new BoxError('INVALID_ARGUMENT', 'image verify: there are two trust roots; give one');
  const place = repository.startsWith('https://') ? repository : resolve(repository);
  return { kind: 'tuf', root: resolve(root), repository: place };
}

/** @throws INVALID_ARGUMENT */
function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new BoxError('INVALID_ARGUMENT', `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, {
      cause,
    });
  }
}
