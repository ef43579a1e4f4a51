/**
 * A VM of the real backend in the test's own process, below the supervisor: for what the agent channel and the guest
 * must do whoever is at the host's end.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HypervisorPort, ImageStorePort, type Logger, type RootDisk } from '@a3s-box/core';
import { compileOciConfig } from '../../../core/dist/box/oci-config.js';
import type { BoxSpec } from '../../../core/dist/box/box-spec.js';
import { containerFiles } from '../../../core/dist/box/container-files.js';
import { layoutOf, prepareHome } from '../../../core/dist/client/home.js';
import {
  AgentService,
  ConfigureRequest,
  ContainerService,
  CreateContainerRequest,
  StartContainerRequest,
} from '../../../core/dist/gen/a3s/box/agent/v1/agent.js';
import { findDistribution } from '../../../core/dist/kernel/distribution.js';
import { PluginHost } from '../../../core/dist/kernel/plugin-host.js';
import { BackendChooser } from '../../../core/dist/vm/backend-chooser.js';
import { InstalledAssets } from '../../../core/dist/vm/installed-assets.js';
import type { TemplateLibrary } from '../../../core/dist/vm/templates/template-library.js';
import { VmManager } from '../../../core/dist/vm/vm-manager.js';
import type { RunningVm } from '../../../core/dist/vm/running-vm.js';
import { Tracer } from '../../../core/dist/vm/tracer.js';

const cli = join(import.meta.dirname, '../../../cli');
const never = new AbortController().signal;
/** It boots: nothing of a clone is under test, and there is no supervisor to keep templates. */
const NO_TEMPLATES = { take: () => Promise.resolve(undefined), wish() {} } as unknown as TemplateLibrary;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export interface BareVmOptions {
  /** A home with the starter image. */
  readonly home: string;
  readonly memoryBytes?: number;
  readonly vcpus?: number;
}

export class BareVm implements AsyncDisposable {
  readonly running: RunningVm;
  readonly #stack: AsyncDisposableStack;
  readonly #root: RootDisk;

  private constructor(running: RunningVm, root: RootDisk, stack: AsyncDisposableStack) {
    this.running = running;
    this.#root = root;
    this.#stack = stack;
  }

  /** Boots a VM from the starter image; nothing runs in it yet. */
  static async boot({ home, memoryBytes = 256 * 2 ** 20, vcpus = 1 }: BareVmOptions): Promise<BareVm> {
    const layout = layoutOf(home);
    prepareHome(layout);
    await mkdir(layout.run, { recursive: true, mode: 0o700 });
    await using stack = new AsyncDisposableStack();
    const plugins = await PluginHost.start({
      distribution: await findDistribution({ builtIn: join(cli, 'distribution.json') }),
      resolveFrom: [cli],
      stateDirectory: layout.plugins,
      logger: silent,
      signal: never,
    });
    stack.use(plugins);
    const images = plugins.registry.get(ImageStorePort);
    const backends = new BackendChooser([...plugins.registry.all(HypervisorPort).values()]);
    const vms = new VmManager(layout, new InstalledAssets(layout), NO_TEMPLATES);
    const operation = { signal: never };
    const image = await images.inspect('a3s/starter', operation);
    const root = await images.rootDisk(image.id, operation);
    stack.defer(() => root.release());
    const boxId = randomBytes(32).toString('hex');
    const running = await vms.start(
      {
        boxId,
        backend: await backends.choose(undefined, operation),
        root: root.disk,
        sizing: { vcpus, memoryBytes },
        tracer: new Tracer(),
        clone: false,
        onLaunch: () => {},
      },
      operation,
    );
    stack.defer(async () => {
      await running.kill();
      const directories = [layout.boxRun(boxId), layout.box(boxId)];
      await Promise.all(directories.map((path) => rm(path, { recursive: true, force: true })));
    });
    return new BareVm(running, root, stack.move());
  }

  /** Starts a container `box` that runs a command, by the config compiler of boxes. */
  async startContainer(command: readonly string[], change: Partial<BoxSpec> = {}): Promise<void> {
    const spec = {
      image: this.#root.imageId,
      command,
      environment: [],
      terminal: false,
      stdinOpen: false,
      autoRemove: true,
      labels: {},
      ...change,
    };
    const { session } = this.running;
    const image = { env: [], exposedPorts: [], volumes: [], labels: {} };
    await session.call(AgentService.configure, ConfigureRequest.create({ hostname: 'test' }));
    await session.call(
      ContainerService.create,
      CreateContainerRequest.create({
        containerId: 'box',
        config: Buffer.from(JSON.stringify(compileOciConfig(spec, image, 'test'))),
        rootFilesystem: { imageSlot: 'root', scratchSlot: 'scratch', scratchDirectory: 'box' },
        files: containerFiles('test', undefined),
      }),
    );
    const start = StartContainerRequest.create({ containerId: 'box', stdin: spec.stdinOpen });
    await session.call(ContainerService.start, start);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
