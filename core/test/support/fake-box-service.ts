import { BoxRecovery } from '../../dist/box/box-recovery.js';
import { SUPERVISOR_PROTOCOL_MINOR } from '../../dist/client/protocol-version.js';
import { BoxService } from '../../dist/box/box-service.js';
import { createCoreContainer } from '../../dist/core-container.js';
import { BoxError, type Image, type ImageStore, type Logger } from '../../dist/index.js';
import type { Container } from '../../dist/kernel/container.js';
import { PluginRegistry } from '../../dist/kernel/plugin-registry.js';
import { StateDatabase } from '../../dist/state/state-database.js';
import type { HomeLayout } from '../../dist/store/home-layout.js';
import type { FakeHypervisor } from './fake-hypervisor.ts';

const IMAGE: Image = {
  id: `sha256:${'a'.repeat(64)}`,
  digest: `sha256:${'b'.repeat(64)}`,
  names: ['docker.io/a3s/starter:latest'],
  repoDigests: [],
  platform: { os: 'linux', architecture: 'amd64' },
  sizeBytes: 1,
  config: { env: [], cmd: ['sh'], exposedPorts: [], volumes: [], labels: {} },
  diffIds: [],
  history: [],
};

/** Fails the program on an error that nobody would see. */
const strict: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (fields, message) => {
    throw new Error(`${message}: ${JSON.stringify(fields)}`);
  },
  child: () => strict,
};

export interface FakeBoxService extends AsyncDisposable {
  readonly container: Container;
  readonly boxes: BoxService;
  /** How many root disks are out. */
  readonly rootDisks: () => number;
  /** Whether the supervisor was told to stop. */
  readonly stopped: () => boolean;
}

/** Core's own services on a fake hypervisor and an image store with one image, `a3s/starter`. The home exists. */
export async function fakeBoxService(
  layout: HomeLayout,
  hypervisor: FakeHypervisor,
  bootId = 'first boot',
): Promise<FakeBoxService> {
  let rootDisks = 0;
  let stopped = false;
  const images = {
    list: async () => [IMAGE],
    inspect: async (reference: string) => {
      if (reference !== 'a3s/starter') throw new BoxError('IMAGE_NOT_FOUND', `there is no image "${reference}"`);
      return IMAGE;
    },
    admit: async () => undefined,
    trim: async () => [],
    remove: async () => ({ untagged: IMAGE.names, deleted: [IMAGE.id] }),
    rootDisk: async () => {
      rootDisks++;
      return {
        imageId: IMAGE.id,
        disk: { path: '/dev/null', format: 'raw', readOnly: true },
        release: async () => void rootDisks--,
      };
    },
  } as unknown as ImageStore;
  const services = [
    { port: 'a3s-box.image-store.v1', name: 'fake', service: images },
    { port: 'a3s-box.hypervisor.v1', name: hypervisor.name, service: hypervisor },
  ];
  const database = StateDatabase.open(layout.state);
  const container = createCoreContainer({
    logger: strict,
    plugins: { registry: new PluginRegistry({ services, defaults: {}, explain: () => undefined }) },
    layout,
    database,
    assets: {
      boot: async () => ({ architecture: 'amd64', kernel: '/k', initramfs: '/i' }),
      makeScratch: async () => {},
    },
    shareProgram: { find: async () => '/usr/libexec/virtiofsd' },
    self: {
      pid: 42,
      home: layout.root,
      version: '9.9.9',
      plugins: [],
      protocolMinor: SUPERVISOR_PROTOCOL_MINOR,
      stop: async () => void (stopped = true),
    },
  });
  await container.resolve(BoxRecovery).recover(bootId);
  return {
    container,
    boxes: container.resolve(BoxService),
    rootDisks: () => rootDisks,
    stopped: () => stopped,
    async [Symbol.asyncDispose]() {
      await container[Symbol.asyncDispose]();
      database[Symbol.dispose]();
    },
  };
}
