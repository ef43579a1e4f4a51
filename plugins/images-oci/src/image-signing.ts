import { BoxError, type SignedImage, type SignOptions } from '@a3s-box/core';
import type { Descriptor, SignatureTarget, Signing, StoredSignature } from '@a3s-box/image-trust';
import { digestOf } from './digest.js';
import type { ImageLibrary } from './image-library.js';
import { connectionTo, ifStored, type SignatureContext } from './image-signatures.js';
import { parseManifest } from './image-manifest.js';
import { parseReference, repositoryOf, type Reference } from './reference.js';
import { Registries } from './registries.js';
import { RegistryClient } from './registry-client.js';
import { RegistrySignatures } from './registry-signatures.js';
import { RegistryWriter } from './registry-writer.js';

/** Puts signatures beside the images of one repository. */
class SignatureWriter extends RegistrySignatures implements SignatureTarget {
  constructor(
    client: RegistryClient,
    private readonly writer: RegistryWriter,
  ) {
    super(client);
  }

  async putBlob(bytes: Buffer): Promise<void> {
    const digest = digestOf(bytes);
    if (await this.writer.has(digest)) return;
    await this.writer.upload({ digest, size: bytes.length, content: bytes });
  }

  async putManifest(name: string, bytes: Buffer, mediaType: string): Promise<{ subjectNoted: boolean }> {
    const { subject } = await this.writer.manifest(name, mediaType, bytes);
    return { subjectNoted: subject !== undefined };
  }
}

/** Signs an image, or a statement about it, where it is in its registry. @throws as `ImageStore.sign` */
export async function signStored(
  name: string,
  { images, patience }: SignatureContext,
  options: SignOptions,
): Promise<SignedImage> {
  const { signer: given, format = 'bundle', attestation } = options;
  if (format !== 'bundle' && (attestation !== undefined || given.kind === 'keyless')) {
    const what = attestation === undefined ? 'a signature without a key' : 'an attestation';
    throw new BoxError('INVALID_ARGUMENT', `${what} is made as a bundle only`, { hint: 'leave the format away' });
  }
  const reference = parseReference(name);
  const repository = repositoryOf(reference);
  const trust = await import('@a3s-box/image-trust');
  const signer: Signing['signer'] =
    given.kind === 'key' ? { kind: 'key', key: trust.parsePrivateKey(given.key, given.password) } : given;
  await using registries = new Registries(options, options.signal, patience);
  const connection = connectionTo(registries, repository);
  const client = new RegistryClient(connection);
  const subject = await subjectOf(name, reference, client, images);
  const target = new SignatureWriter(client, new RegistryWriter(connection));
  const signing = { subject, signer, now: new Date() };
  const { manifest }: StoredSignature =
    attestation !== undefined
      ? await trust.attest(target, signing, trust.predicateTypeOf(attestation.predicateType), attestation.predicate)
      : format === 'tag' && signer.kind === 'key'
        ? await trust.signImageByTag(target, { subject, key: signer.key }, repository)
        : await trust.signImage(target, signing);
  return { digest: subject.digest, manifest };
}

/**
 * What is to be signed. Under a tag it must be what the store has by that name, if it has an image: somebody may have put
 * another there meanwhile.
 */
async function subjectOf(
  name: string,
  reference: Reference,
  client: RegistryClient,
  images: ImageLibrary,
): Promise<Descriptor> {
  const { tag, digest } = reference;
  const found = await client.manifest(digest ?? (tag as string));
  const parsed = parseManifest(found.bytes);
  const id = digest === undefined ? ifStored(images, name) : undefined;
  if (id !== undefined && !images.digestsAt(id, repositoryOf(reference)).includes(found.digest)) {
    throw new BoxError('INVALID_ARGUMENT', `registry has another image by the name ${name} than the store`, {
      hint: `push or pull it first, or name what is to be signed by its digest: ${found.digest} is in the registry`,
    });
  }
  return { mediaType: parsed.mediaType, digest: found.digest, size: found.bytes.length };
}
