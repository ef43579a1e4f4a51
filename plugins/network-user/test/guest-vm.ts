/** A guest of the product on the QEMU backend with a network card, below the supervisor. */
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BootAssetStore, type NetworkEndpoint } from '@a3s-box/core';
import { guestInitPath } from '@a3s-box/guest-init';
import { libkrunfwPath } from '@a3s-box/native';
import { qemu } from '../../../backends/qemu/test/test-hypervisor.ts';
import { compileOciConfig } from '../../../core/dist/box/oci-config.js';
import {
  AgentService,
  AttachOpen,
  ConfigureRequest,
  ContainerService,
  CreateContainerRequest,
  ExecService,
  StartContainerRequest,
  StartProcessRequest,
} from '../../../core/dist/gen/a3s/box/agent/v1/agent.js';
import { AgentSession } from '../../../core/dist/guest/agent-session.js';
import { ProcessAttachment } from '../../../core/dist/guest/process-attachment.js';
import { FRESH_BOOT_SESSION_KEY } from '../../../core/dist/guest/session-opening.js';
import { cloneScratch } from '../../../core/dist/vm/assets/scratch-disk.js';
import { makeStarterImage, OciImageStore } from '../../images-oci/dist/index.js';
import { silent } from './support.ts';

const CARD = 'eth0';
const MIB = 1024 * 1024;
const BUSYBOX = '/bin/busybox';
const BOOT_LIMIT_MS = 60_000;

export interface Output {
  readonly code: number;
  readonly text: string;
}

export class GuestVm implements AsyncDisposable {
  readonly vmmPid: number;
  readonly #session: AgentSession;
  readonly #stack: AsyncDisposableStack;

  private constructor(vmmPid: number, session: AgentSession, stack: AsyncDisposableStack) {
    this.vmmPid = vmmPid;
    this.#session = session;
    this.#stack = stack;
  }

  /** Boots a guest with the starter image, connected to an endpoint, with a container that waits. */
  static async boot({ attachment, guest }: NetworkEndpoint): Promise<GuestVm> {
    if (attachment === undefined) throw new TypeError('the endpoint has nothing to connect to');
    await using stack = new AsyncDisposableStack();
    const home = mkdtempSync(join(tmpdir(), 'g-'));
    stack.defer(() => rmSync(home, { recursive: true }));
    const operation = { signal: AbortSignal.timeout(BOOT_LIMIT_MS) };
    const store = await OciImageStore.open({ directory: mkdtempSync(join(home, 'i')), logger: silent });
    stack.use(store);
    const image = await makeStarterImage(store, BUSYBOX, operation);
    const root = await store.rootDisk(image.id, operation);
    stack.defer(() => root.release());
    const scratch = join(home, 'scratch.img');
    await cloneScratch(scratch);
    const assets = new BootAssetStore(join(home, 'assets'), { libkrunfw: libkrunfwPath(), init: guestInitPath() });
    const vm = await qemu(home).create(
      {
        id: `net-${randomUUID().slice(0, 8)}`,
        directory: mkdtempSync(join(home, 'v')),
        boot: await assets.boot(operation),
        shape: { vcpus: 1, memoryBytes: 256 * MIB, network: true, share: false },
        disks: { root: root.disk, scratch: { path: scratch, format: 'raw', readOnly: false } },
        network: attachment,
      },
      operation,
    );
    stack.defer(async () => {
      await vm.kill();
      await vm.close();
    });
    const socket = vm.agent.socket;
    const session = await AgentSession.open({
      ...{ socket, key: FRESH_BOOT_SESSION_KEY, nextKey: randomBytes(32) },
      ...operation,
    });
    stack.use(session);
    const { addresses, gateways, mtu, nameServers } = guest;
    const interfaces = [{ name: CARD, mac: attachment.mac, addresses: [...addresses], mtu }];
    const routes = gateways.map((gateway) => ({ destination: 'default', gateway, interface: CARD }));
    await session.call(AgentService.configure, ConfigureRequest.create({ hostname: 'guest', interfaces, routes }));
    const made = new GuestVm(vm.vmm.pid, session, stack.move());
    await made.#startContainer(nameServers);
    return made;
  }

  /** Runs a command in the guest's container to its end. @returns its exit code, and both outputs as one text */
  async run(command: string): Promise<Output> {
    const processId = randomUUID();
    const process = {
      ...{ terminal: false, user: { uid: 0, gid: 0 }, cwd: '/' },
      ...{ args: ['sh', '-c', command], env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'] },
    };
    const request = { containerId: 'box', processId, process: Buffer.from(JSON.stringify(process)), stdin: false };
    await this.#session.call(ExecService.start, StartProcessRequest.create(request));
    const from = { stdout: 0n, stderr: 0n };
    const attachment = new ProcessAttachment(this.#session, AttachOpen.create({ containerId: 'box', processId, from }));
    let text = '';
    for await (const { data } of attachment.output()) text += data.toString();
    return { code: (await attachment.exited).code, text };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  async #startContainer(nameServers: readonly string[]): Promise<void> {
    const spec = {
      ...{ image: 'a3s/starter', command: ['sleep', '1000000'], environment: [], labels: {} },
      ...{ terminal: false, stdinOpen: false, autoRemove: true },
    };
    const image = { env: [], exposedPorts: [], volumes: [], labels: {} };
    const resolvers = nameServers.map((server) => `nameserver ${server}\n`).join('');
    const create = CreateContainerRequest.create({
      containerId: 'box',
      config: Buffer.from(JSON.stringify(compileOciConfig(spec, image, 'guest'))),
      rootFilesystem: { imageSlot: 'root', scratchSlot: 'scratch', scratchDirectory: 'box' },
      files: [{ path: '/etc/resolv.conf', content: Buffer.from(resolvers), mode: 0o644 }],
    });
    await this.#session.call(ContainerService.create, create);
    await this.#session.call(ContainerService.start, StartContainerRequest.create({ containerId: 'box' }));
  }
}
