import { closeSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  BootAssets,
  DiskImage,
  Hypervisor,
  HypervisorCapability,
  Template,
  TemplateSpec,
  Vm,
  VmSpec,
} from '@a3s-box/core';
import { GuestConnection } from './guest-connection.js';

const MIB = 1024 * 1024;
const GUEST_MEMORY = 256 * MIB;
export const DISK_BYTES = 1 * MIB;

export interface HypervisorSuiteOptions {
  /** Names the provider in titles. */
  readonly name: string;
  /** Makes the provider under test; called once, with a directory of its own (absolute path). */
  create(directory: string): Promise<Hypervisor>;
  /** A kernel, and an initramfs with {@link contractGuestInit} as `/init`. @param directory for files that it makes */
  boot(directory: string): Promise<BootAssets>;
  /** What the provider says that it can. */
  readonly capabilities: readonly HypervisorCapability[];
  /**
   * Starts a vhost-user-fs server, which ends with its client. With `share` among the capabilities it is needed.
   * @param directory what it serves @param socket where it listens on return
   */
  serveFiles?(directory: string, socket: string): Promise<FileServer>;
  /** Limit of one case, ms; a guest under emulation takes seconds to boot. Default 60000. */
  readonly timeoutMs?: number;
  /** So many lines flood the console. Default 2000. */
  readonly floodLines?: number;
}

export interface FileServer {
  /** Resolves when it has ended. Never rejects. */
  readonly gone: Promise<void>;
  /** Ends it and waits. Idempotent. */
  kill(): Promise<void>;
}

/** What every case works with. Made anew for each; everything that it made is gone after {@link dispose}. */
export class Fixture {
  readonly root = mkdtempSync(join(tmpdir(), 'hv-'));
  readonly signal: AbortSignal = new AbortController().signal;
  readonly #vms: Vm[] = [];
  readonly #templates: Template[] = [];
  #count = 0;

  constructor(
    readonly hypervisor: Hypervisor,
    readonly boot: BootAssets,
  ) {}

  /** A new, empty directory for a VM. */
  directory(): string {
    return mkdtempSync(join(this.root, 'v'));
  }

  /** A raw image that starts with this text. */
  disk(text: string, readOnly: boolean, bytes = DISK_BYTES): DiskImage {
    const path = join(this.root, `disk-${++this.#count}.img`);
    writeFileSync(path, text);
    truncateSync(path, bytes);
    return { path, format: 'raw', readOnly };
  }

  spec(changes: Partial<VmSpec> = {}): VmSpec {
    return {
      id: `contract-${process.pid}-${++this.#count}`,
      directory: changes.directory ?? this.directory(),
      boot: this.boot,
      shape: { vcpus: 1, memoryBytes: GUEST_MEMORY, network: false, share: false },
      disks: {},
      ...changes,
    };
  }

  /** Creates a VM that is killed at the end of the case. */
  async start(changes: Partial<VmSpec> = {}): Promise<Vm> {
    return this.keep(await this.hypervisor.create(this.spec(changes), { signal: this.signal }));
  }

  /** Has a VM killed at the end of the case. */
  keep(vm: Vm): Vm {
    this.#vms.push(vm);
    return vm;
  }

  templateSpec(changes: Partial<TemplateSpec> = {}): TemplateSpec {
    const { id, directory, boot, shape } = this.spec();
    return { id, directory, boot, shape, prepare: () => Promise.resolve(), ...changes };
  }

  /** Makes a template of a guest that was told to remember this; its files are closed at the end of the case. */
  async template(remembered: string, changes: Partial<TemplateSpec> = {}): Promise<Template> {
    const prepare: TemplateSpec['prepare'] = async ({ agent }) => {
      using guest = await GuestConnection.open(agent);
      await guest.ask(`remember ${remembered}`);
    };
    const spec = this.templateSpec({ prepare, ...changes });
    const template = await this.hypervisor.makeTemplate(spec, { signal: this.signal });
    this.#templates.push(template);
    return template;
  }

  guest(vm: Vm): Promise<GuestConnection> {
    return GuestConnection.open(vm.agent);
  }

  async dispose(): Promise<void> {
    // A closed handle kills no more; the newest of a VM is the one that is open.
    for (const vm of this.#vms.reverse()) await endOf(vm);
    for (const { memory, state } of this.#templates) for (const file of [memory, state]) closeSync(file);
    rmSync(this.root, { recursive: true, force: true });
  }
}

async function endOf(vm: Vm): Promise<void> {
  if (isAlive(vm)) await vm.kill();
  await vm.close();
}

function isAlive(vm: Vm): boolean {
  try {
    process.kill(vm.vmm.pid, 0);
    return true;
  } catch {
    return false;
  }
}
