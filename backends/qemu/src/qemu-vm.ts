import { closeSync, openSync, statSync } from 'node:fs';
import {
  BoxError,
  type AgentEndpoint,
  type BlockCounters,
  type DiskImage,
  type DiskSlot,
  type Operation,
  type ProcessIdentity,
  type Vm,
  type VmExit,
  type VmRecord,
} from '@a3s-box/core';
import { orCancelled, Turns, type ConsoleLog, type ShutdownEvent, type VmmProcess } from '@a3s-box/vmm';
import { showHangUp } from './agent-port.js';
import { sumOfSlots } from './block-statistics.js';
import { fileNode, formatNode, type SlotState } from './device-options.js';
import type { QmpClient } from './qmp-client.js';
import type { SpaceAlarm } from './space-alarm.js';

/** The parts of a running QEMU, as `create` and `adopt` put them together. */
export interface QemuVmParts {
  readonly record: VmRecord;
  readonly agent: AgentEndpoint;
  readonly vmm: VmmProcess;
  readonly qmp: QmpClient;
  readonly console: ConsoleLog;
  readonly slots: Readonly<Partial<Record<DiskSlot, SlotState>>>;
  /** What QEMU said of its end so far. */
  readonly shutdown: () => ShutdownEvent | undefined;
  readonly space: SpaceAlarm;
  /** Whether an earlier host may have hung up while the guest stood still. */
  readonly missedHangUp?: boolean;
}

/** A VM on QEMU. */
export class QemuVm implements Vm {
  readonly id: string;
  readonly vmm: ProcessIdentity;
  readonly agent: AgentEndpoint;
  readonly record: VmRecord;
  readonly exited: Promise<VmExit>;
  readonly #parts: QemuVmParts;
  #ended = false;
  #missedHangUp: boolean;
  readonly #turns = new Turns();

  constructor(parts: QemuVmParts) {
    this.#parts = parts;
    this.id = parts.record.id;
    this.vmm = parts.vmm.identity;
    this.agent = parts.agent;
    this.record = parts.record;
    this.#missedHangUp = parts.missedHangUp ?? false;
    this.exited = this.#awaitExit();
  }

  pause({ signal }: Operation): Promise<void> {
    return this.#inTurn('pause', signal, async () => {
      await this.#parts.qmp.execute('stop');
    });
  }

  resume({ signal }: Operation): Promise<void> {
    return this.#inTurn('resume', signal, async () => {
      this.#parts.space.clear();
      await this.#parts.qmp.execute('cont');
      if (this.#missedHangUp) await showHangUp(this.agent.socket);
      this.#missedHangUp = false;
    });
  }

  swapDisk(slot: DiskSlot, image: DiskImage, { signal }: Operation): Promise<void> {
    return this.#inTurn(`swap of disk ${slot}`, signal, () => this.#swap(slot, image));
  }

  async blockCounters({ signal }: Operation): Promise<BlockCounters> {
    if (this.#ended) throw new BoxError('VM_ENDED', `vm ${this.id} has ended`);
    const answer = this.#parts.qmp.execute('query-blockstats');
    return sumOfSlots(await orCancelled(answer, signal, `count of what vm ${this.id} moved`));
  }

  onNoSpace(callback: () => void): () => void {
    return this.#parts.space.subscribe(callback);
  }

  consoleTail(bytes: number): Promise<string> {
    return Promise.resolve(this.#parts.console.tail(bytes));
  }

  async kill(): Promise<void> {
    if (!this.#ended) this.#parts.vmm.kill();
    await this.exited;
  }

  async close(): Promise<void> {
    const { qmp, console, vmm } = this.#parts;
    qmp.close();
    console.close();
    vmm.release();
    await Promise.all([qmp.closed, console.ended]);
  }

  async #awaitExit(): Promise<VmExit> {
    const { vmm, qmp, console } = this.#parts;
    await vmm.gone;
    this.#ended = true;
    // Both end with the process. What QEMU and the guest said last is still in the sockets' buffers.
    await Promise.all([qmp.closed, console.ended]);
    const exit = vmm.exit(this.#parts.shutdown());
    vmm.release();
    return exit;
  }

  /** Pause, resume and swap take turns. */
  #inTurn(what: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    return this.#turns.take(`${what} of vm ${this.id}`, signal, () => {
      if (this.#ended) throw new BoxError('VM_ENDED', `vm ${this.id} has ended`);
      return work();
    });
  }

  async #swap(slot: DiskSlot, image: DiskImage): Promise<void> {
    checkSwap(slot, this.#parts.slots[slot], image);
    const { qmp } = this.#parts;
    const previous = await this.#fileNodes(slot);
    const name = unusedName(`${slot}-file`, previous);
    const set = await this.#giveFile(image);
    try {
      await qmp.execute('blockdev-add', fileNode(name, `/dev/fdset/${set}`, image.readOnly));
      try {
        await qmp.execute('blockdev-reopen', { options: [formatNode(slot, 'raw', image.readOnly, name)] });
      } catch (error) {
        await qmp.execute('blockdev-del', { 'node-name': name });
        throw error;
      }
    } catch (error) {
      await qmp.execute('remove-fd', { 'fdset-id': set });
      throw error;
    }
    // The set's own copy; the node keeps another for as long as it is there.
    await qmp.execute('remove-fd', { 'fdset-id': set });
    for (const old of previous) await qmp.execute('blockdev-del', { 'node-name': old });
  }

  /** The nodes that were ever put behind a slot and still are there: one, or more where a host died during a swap. */
  async #fileNodes(slot: DiskSlot): Promise<string[]> {
    const nodes = (await this.#parts.qmp.execute('query-named-block-nodes', { flat: true })) as readonly BlockNode[];
    return nodes.map((node) => node['node-name']).filter((name) => name.startsWith(`${slot}-file`));
  }

  async #giveFile(image: DiskImage): Promise<number> {
    const descriptor = openSync(image.path, image.readOnly ? 'r' : 'r+');
    try {
      const answer = await this.#parts.qmp.executeWithDescriptor('add-fd', {}, descriptor);
      return (answer as { readonly 'fdset-id': number })['fdset-id'];
    } finally {
      closeSync(descriptor);
    }
  }
}

interface BlockNode {
  readonly 'node-name': string;
}

function unusedName(base: string, used: readonly string[]): string {
  let number = 1;
  while (used.includes(`${base}-${number}`)) number++;
  return `${base}-${number}`;
}

function checkSwap(slot: DiskSlot, state: SlotState | undefined, image: DiskImage): void {
  if (state === undefined)
    throw new BoxError('INVALID_ARGUMENT', `disk ${slot} is empty: it had no image at the start`);
  if (image.format !== 'raw') throw new BoxError('UNSUPPORTED', `disk ${slot} can be swapped for raw images only`);
  if (image.readOnly !== state.readOnly) {
    const access = state.readOnly ? 'read-only' : 'writable';
    throw new BoxError('INVALID_ARGUMENT', `disk ${slot} is ${access} and stays so`);
  }
  const size = statSync(image.path, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new BoxError('INVALID_ARGUMENT', `image ${image.path} is not there`);
  if (size > state.bytes) {
    throw new BoxError('INVALID_ARGUMENT', `image of ${size} bytes does not fit disk ${slot} of ${state.bytes} bytes`);
  }
}
