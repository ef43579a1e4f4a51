/** Documents as docker, buildx, skopeo and umoci write them, with made-up digests. */
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const descriptor = (mediaType: string, letter: string, rest: object = {}): object => ({
  mediaType,
  digest: digest(letter),
  size: 1234,
  ...rest,
});
const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

const DOCUMENTS: Readonly<Record<string, unknown>> = {
  'oci-config': {
    created: '2024-01-01T00:00:00Z',
    author: 'somebody',
    architecture: 'amd64',
    os: 'linux',
    config: {
      User: '1000:1000',
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Env: ['PATH=/usr/bin:/bin', 'A='],
      Entrypoint: ['/docker-entrypoint.sh'],
      Cmd: ['nginx', '-g', 'daemon off;'],
      Volumes: { '/data': {} },
      WorkingDir: '/srv',
      Labels: { 'org.opencontainers.image.version': '1.2' },
      StopSignal: 'SIGQUIT',
    },
    rootfs: { type: 'layers', diff_ids: [digest('a'), digest('b')] },
    history: [{ created: '2024-01-01T00:00:00Z', created_by: 'ADD file', empty_layer: true }],
  },
  'docker-config': {
    architecture: 'arm64',
    variant: 'v8',
    os: 'linux',
    'os.version': '',
    config: {
      Hostname: '',
      Env: null,
      Cmd: null,
      Entrypoint: null,
      Labels: null,
      OnBuild: null,
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5_000_000_000, Timeout: 1_000_000, Retries: 3 },
    },
    rootfs: { type: 'layers', diff_ids: [digest('c')] },
  },
  'oci-manifest': {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config: descriptor(`${OCI}.config.v1+json`, '1'),
    layers: [descriptor(`${OCI}.layer.v1.tar+gzip`, '2'), descriptor(`${OCI}.layer.v1.tar+zstd`, '3')],
    annotations: { 'org.opencontainers.image.ref.name': 'latest' },
  },
  'docker-manifest': {
    schemaVersion: 2,
    mediaType: `${DOCKER}.distribution.manifest.v2+json`,
    config: descriptor(`${DOCKER}.container.image.v1+json`, '4'),
    layers: [descriptor(`${DOCKER}.image.rootfs.diff.tar.gzip`, '5')],
  },
  'oci-index': {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [
      descriptor(`${OCI}.manifest.v1+json`, '6', { platform: { architecture: 'amd64', os: 'linux' } }),
      descriptor(`${OCI}.manifest.v1+json`, '7', { platform: { architecture: 'arm', os: 'linux', variant: 'v7' } }),
      descriptor(`${OCI}.manifest.v1+json`, '8', {
        platform: { architecture: 'unknown', os: 'unknown' },
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      }),
      descriptor(`${OCI}.manifest.v1+json`, '9', {
        annotations: { 'io.containerd.image.name': 'docker.io/library/a:b' },
      }),
    ],
  },
  'docker-list': {
    schemaVersion: 2,
    mediaType: `${DOCKER}.distribution.manifest.list.v2+json`,
    manifests: [
      descriptor(`${DOCKER}.distribution.manifest.v2+json`, 'd', { platform: { os: 'linux', architecture: 'amd64' } }),
    ],
  },
  'docker-archive': [
    {
      Config: `${'e'.repeat(64)}.json`,
      RepoTags: ['alpine:3.20', 'localhost:5000/a/b:c'],
      Layers: ['a/layer.tar', 'b/layer.tar'],
    },
    { Config: 'blobs/sha256/x', RepoTags: null, Layers: [] },
  ],
  'artifact-manifest': {
    schemaVersion: 2,
    config: descriptor('application/vnd.cncf.helm.config.v1+json', 'f'),
    layers: [],
  },
  'schema-1': { schemaVersion: 1, name: 'a', fsLayers: [{ blobSum: digest('0') }] },
};

export function* documentSeeds(): Generator<readonly [name: string, input: Buffer]> {
  for (const [name, document] of Object.entries(DOCUMENTS)) {
    yield [name, Buffer.from(JSON.stringify(document))];
    yield [`${name}-indented`, Buffer.from(JSON.stringify(document, null, 2))];
  }
}
