import { BoxRunner } from '../../dist/box/box-runner.js';
import { BoxService } from '../../dist/box/box-service.js';
import { BoxError, type Image, type ImageStore, type Logger } from '../../dist/index.js';
import type { HomeLayout } from '../../dist/store/home-layout.js';
import { Activity } from '../../dist/supervisor/activity.js';
import { BackendChooser } from '../../dist/vm/backend-chooser.js';
import { VmManager } from '../../dist/vm/vm-manager.js';
import type { FakeHypervisor } from './fake-hypervisor.ts';

const IMAGE: Image = {
  id: `sha256:${'a'.repeat(64)}`,
  digest: `sha256:${'b'.repeat(64)}`,
  names: ['docker.io/a3s/starter:latest'],
  platform: { os: 'linux', architecture: 'amd64' },
  sizeBytes: 1,
  config: { env: [], cmd: ['sh'], exposedPorts: [], volumes: [], labels: {} },
  diffIds: [],
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

export interface FakeBoxService {
  readonly boxes: BoxService;
  readonly images: ImageStore;
  readonly backends: BackendChooser;
  readonly activity: Activity;
  /** How many root disks are out. */
  readonly rootDisks: () => number;
}

/** The real box service on a fake hypervisor and an image store with one image, `a3s/starter`. */
export function fakeBoxService(layout: HomeLayout, hypervisor: FakeHypervisor): FakeBoxService {
  let rootDisks = 0;
  const images = {
    list: async () => [IMAGE],
    inspect: async (reference: string) => {
      if (reference !== 'a3s/starter') throw new BoxError('IMAGE_NOT_FOUND', `there is no image "${reference}"`);
      return IMAGE;
    },
    rootDisk: async () => {
      rootDisks++;
      return {
        imageId: IMAGE.id,
        disk: { path: '/dev/null', format: 'raw', readOnly: true },
        release: async () => void rootDisks--,
      };
    },
  } as unknown as ImageStore;
  const assets = { boot: async () => ({ kernel: '/k', initramfs: '/i' }), makeScratch: async () => {} };
  const activity = new Activity();
  const backends = new BackendChooser([hypervisor]);
  const runner = new BoxRunner(images, backends, new VmManager(layout, assets), strict);
  return {
    boxes: new BoxService(images, backends, runner, activity),
    images,
    backends,
    activity,
    rootDisks: () => rootDisks,
  };
}
