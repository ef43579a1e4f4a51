/** Puts things beside images as another tool would, with nothing but HTTP. */
import { sha256 } from './oci-layout.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** A manifest's descriptor. @param repository its address below /v2/, with the host */
export async function descriptorAt(base: string, reference: string) {
  const response = await fetch(`${base}/manifests/${reference}`, { headers: { accept: `${MANIFEST}, ${INDEX}` } });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { mediaType: response.headers.get('content-type') ?? '', digest: sha256(bytes), size: bytes.length };
}

export async function putBlob(base: string, bytes: Buffer): Promise<void> {
  const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location') ?? '', begun.url);
  location.searchParams.set('digest', sha256(bytes));
  await expect(fetch(location, { method: 'PUT', body: new Uint8Array(bytes) }), 201);
}

export async function putManifest(base: string, name: string, document: object): Promise<Buffer> {
  const bytes = Buffer.from(JSON.stringify(document));
  const type = 'manifests' in document ? INDEX : MANIFEST;
  const headers = { 'content-type': type };
  await expect(fetch(`${base}/manifests/${name}`, { method: 'PUT', headers, body: new Uint8Array(bytes) }), 201);
  return bytes;
}

/** A bundle, found by the tag that stands in where a registry keeps no referrers. @param base http://HOST/v2/REPOSITORY */
export async function putBundle(base: string, subject: { readonly digest: string }, bundle: object): Promise<void> {
  const bytes = Buffer.from(JSON.stringify(bundle));
  const empty = Buffer.from('{}');
  await putBlob(base, bytes);
  await putBlob(base, empty);
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256(empty), size: empty.length };
  const layers = [{ mediaType: BUNDLE, digest: sha256(bytes), size: bytes.length }];
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, artifactType: BUNDLE, config, layers, subject };
  const digest = sha256(Buffer.from(JSON.stringify(manifest)));
  const { length: size } = await putManifest(base, digest, manifest);
  const manifests = [{ mediaType: MANIFEST, artifactType: BUNDLE, digest, size }];
  await putManifest(base, subject.digest.replace(':', '-'), { schemaVersion: 2, mediaType: INDEX, manifests });
}

async function expect(answer: Promise<Response>, status: number): Promise<void> {
  const response = await answer;
  if (response.status !== status)
    throw new Error(`${response.url} answers ${response.status}: ${await response.text()}`);
}
