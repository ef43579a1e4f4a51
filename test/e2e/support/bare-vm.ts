/**
 * A VM of the real backend in the test's own process, below the supervisor: for what the agent channel and the guest
 * must do whoever is at the host's end.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HypervisorPort, ImageStorePort, type ImageStore, type Logger, type RootDisk } from '@a3s-box/core';
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
import { Ledger } from '../../../core/dist/state/ledger.js';
import { Reaper } from '../../../core/dist/state/reaper.js';
import { StateDatabase } from '../../../core/dist/state/state-database.js';
import type { HomeLayout } from '../../../core/dist/store/home-layout.js';
import { Activity } from '../../../core/dist/supervisor/activity.js';
import { TemplateLibrary } from '../../../core/dist/vm/templates/template-library.js';
import { TemplateStore } from '../../../core/dist/vm/templates/template-store.js';
import { VmManager } from '../../../core/dist/vm/vm-manager.js';
import type { RunningVm } from '../../../core/dist/vm/running-vm.js';
import { Tracer } from '../../../core/dist/vm/tracer.js';

const cli = join(import.meta.dirname, '../../../cli');
const never = new AbortController().signal;
const operation = { signal: never };
/** Where nothing of a clone is under test. */
const NO_TEMPLATES = { take: () => Promise.resolve(undefined), wish() {} } as unknown as TemplateLibrary;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export interface BareVmOptions {
  readonly memoryBytes?: number;
  readonly vcpus?: number;
  /** Whether it is a clone of a template that the home has. */
  readonly clone?: boolean;
}

/** Backends, images and templates of a home that no supervisor uses. */
export class BareHost implements AsyncDisposable {
  readonly #layout: HomeLayout;
  readonly #images: ImageStore;
  readonly #backends: BackendChooser;
  readonly #vms: VmManager;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    layout: HomeLayout,
    plugins: PluginHost,
    templates: TemplateLibrary,
    stack: AsyncDisposableStack,
  ) {
    this.#layout = layout;
    this.#images = plugins.registry.get(ImageStorePort);
    this.#backends = new BackendChooser([...plugins.registry.all(HypervisorPort).values()], { name: undefined });
    this.#vms = new VmManager(layout, new InstalledAssets(layout), templates);
    this.#stack = stack;
  }

  /** @param home has the starter image */
  static async open(home: string, { templates = false } = {}): Promise<BareHost> {
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
    const library = templates ? stack.use(libraryOf(layout, stack)) : NO_TEMPLATES;
    return new BareHost(layout, plugins, library, stack.move());
  }

  /** Starts a VM with the starter image; nothing runs in it yet. */
  async start({ memoryBytes = 256 * 2 ** 20, vcpus = 1, clone = false }: BareVmOptions = {}): Promise<BareVm> {
    await using stack = new AsyncDisposableStack();
    const image = await this.#images.inspect('a3s/starter', operation);
    const root = await this.#images.rootDisk(image.id, operation);
    stack.defer(() => root.release());
    const boxId = randomBytes(32).toString('hex');
    const running = await this.#vms.start(
      {
        boxId,
        backend: await this.#backends.choose(undefined, operation),
        root: root.disk,
        sizing: { vcpus, memoryBytes },
        tracer: new Tracer(),
        clone,
        onLaunch: () => {},
      },
      operation,
    );
    stack.defer(async () => {
      await running.kill();
      const directories = [this.#layout.boxRun(boxId), this.#layout.box(boxId)];
      await Promise.all(directories.map((path) => rm(path, { recursive: true, force: true })));
    });
    return new BareVm(running, root, stack.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function libraryOf(layout: HomeLayout, stack: AsyncDisposableStack): TemplateLibrary {
  const database = stack.use(StateDatabase.open(layout.state));
  const ledger = new Ledger(database);
  const store = new TemplateStore(layout, database, ledger, new Reaper(database, ledger, silent));
  return new TemplateLibrary(store, new Activity(), silent);
}

export class BareVm implements AsyncDisposable {
  readonly running: RunningVm;
  readonly #stack: AsyncDisposableStack;
  readonly #root: RootDisk;

  constructor(running: RunningVm, root: RootDisk, stack: AsyncDisposableStack) {
    this.running = running;
    this.#root = root;
    this.#stack = stack;
  }

  /** Boots a VM in a host of its own. @param home has the starter image */
  static async boot({ home, ...options }: BareVmOptions & { readonly home: string }): Promise<BareVm> {
    await using stack = new AsyncDisposableStack();
    const host = stack.use(await BareHost.open(home));
    const vm = stack.use(await host.start(options));
    return new BareVm(vm.running, vm.#root, stack.move());
  }

  /**
   * Starts a container `box` that runs a command, by the config compiler of boxes.
   * @param guest the guest's machine id, and files of the guest itself that the container sees at the same path
   */
  async startContainer(
    command: readonly string[],
    change: Partial<BoxSpec> = {},
    { machineId = '', files = [] }: { readonly machineId?: string; readonly files?: readonly string[] } = {},
  ): Promise<void> {
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
    await session.call(AgentService.configure, ConfigureRequest.create({ hostname: 'test', machineId }));
    const config = compileOciConfig(spec, image, 'test');
    const binds = files.map((path) => ({ destination: path, source: path, type: 'bind', options: ['bind', 'ro'] }));
    await session.call(
      ContainerService.create,
      CreateContainerRequest.create({
        containerId: 'box',
        config: Buffer.from(JSON.stringify({ ...config, mounts: [...(config['mounts'] as object[]), ...binds] })),
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
