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
import { throwIfCancelled, Turns, type ConsoleLog, type VmmProcess } from '@a3s-box/vmm';
import type { Announcement } from './announcement.js';
import type { KrunHost } from './krun-host.js';

/** The parts of a running machine, as `create` and `adopt` put them together. */
export interface KrunVmParts {
  readonly record: VmRecord;
  readonly vmm: VmmProcess;
  readonly console: ConsoleLog;
  readonly announcement: Announcement;
  readonly host: KrunHost;
  /** Whether this process started it, and so sees its exit code. */
  readonly isChild: boolean;
}

/** A VM on libkrun. Pausing stops the VMM's process: the guest's clock goes on, and its agent is told the time after. */
export class KrunVm implements Vm {
  readonly id: string;
  readonly vmm: ProcessIdentity;
  readonly agent: AgentEndpoint;
  readonly record: VmRecord;
  readonly exited: Promise<VmExit>;
  readonly #parts: KrunVmParts;
  readonly #turns = new Turns();
  #ended = false;

  constructor(parts: KrunVmParts) {
    this.#parts = parts;
    this.id = parts.record.id;
    this.vmm = parts.vmm.identity;
    this.agent = { socket: parts.host.agentAddress(parts.record.directory), listening: parts.announcement.made };
    this.record = parts.record;
    this.exited = this.#awaitExit();
  }

  pause({ signal }: Operation): Promise<void> {
    return this.#signal('pause', 'SIGSTOP', signal);
  }

  resume({ signal }: Operation): Promise<void> {
    return this.#signal('resume', 'SIGCONT', signal);
  }

  swapDisk(_slot: DiskSlot, _image: DiskImage, { signal }: Operation): Promise<void> {
    const refusal = new BoxError('UNSUPPORTED', `disks of vm ${this.id} cannot be swapped: libkrun does not do it`);
    return this.#inTurn('swap of a disk', signal, () => Promise.reject(refusal));
  }

  async blockCounters({ signal }: Operation): Promise<BlockCounters> {
    await Promise.resolve();
    throwIfCancelled(signal, `count of what vm ${this.id} moved`);
    throw new BoxError('UNSUPPORTED', `disks of vm ${this.id} cannot be watched: libkrun does not count`);
  }

  /** libkrun reports a full disk to the guest as an error. */
  onNoSpace(): () => void {
    return () => undefined;
  }

  consoleTail(bytes: number): Promise<string> {
    return Promise.resolve(this.#parts.console.tail(bytes));
  }

  async kill(): Promise<void> {
    if (!this.#ended) this.#parts.vmm.kill();
    await this.exited;
  }

  async close(): Promise<void> {
    const { console, announcement, vmm } = this.#parts;
    announcement.close();
    console.close();
    vmm.release();
    await console.ended;
  }

  async #awaitExit(): Promise<VmExit> {
    const { vmm, console, announcement, isChild } = this.#parts;
    await vmm.gone;
    this.#ended = true;
    // It ends with the process. What the guest said last is still in the pipe.
    console.finish();
    await console.ended;
    announcement.close();
    // libkrun ends with 0 when the guest's processor was reset, and at no other time.
    const exit = vmm.exit(isChild ? { guest: true, reason: 'reset' } : undefined);
    vmm.release();
    return exit;
  }

  #signal(what: string, name: 'SIGSTOP' | 'SIGCONT', signal: AbortSignal): Promise<void> {
    return this.#inTurn(what, signal, () => {
      if (!this.#parts.host.stopsProcesses) {
        throw new BoxError('UNSUPPORTED', `vm ${this.id} cannot be paused: this system does not stop a process`);
      }
      this.#parts.vmm.signal(name);
      return Promise.resolve();
    });
  }

  #inTurn(what: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    return this.#turns.take(`${what} of vm ${this.id}`, signal, () => {
      if (this.#ended) throw new BoxError('VM_ENDED', `vm ${this.id} has ended`);
      return work();
    });
  }
}
