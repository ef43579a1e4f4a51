import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { VmSpec } from '@a3s-box/core';
import type { ConsoleLog } from '@a3s-box/vmm';
import type { Announcement } from './announcement.js';
import type { Handout } from './handout.js';
import type { MachineFiles } from './machine-document.js';

/** What differs between the installations of libkrun. */
export interface KrunMachine {
  /** Absolute path of libkrun. */
  readonly library: string;
  /** Device nodes that libkrun opens by name. */
  readonly devices: readonly string[];
  /** Supplementary groups that they ask for; only as root. */
  readonly groups: readonly number[];
  /** Whether guests may run virtual machines of their own. */
  readonly nested: boolean;
}

/** The parts of a machine that outlive the call that made it. */
export interface Holdings {
  readonly console: ConsoleLog;
  readonly announcement: Announcement;
}

/** All that a launcher is started with. */
export interface Outfit extends Holdings {
  readonly files: MachineFiles;
  readonly handout: Handout;
  /**
   * Starts the launcher, which waits for its document.
   * @throws VM_START_FAILED, CONFINEMENT_FAILED
   */
  start(): Promise<StartedLauncher>;
}

export interface StartedLauncher {
  readonly child: ChildProcess;
  readonly document: Writable;
  /** The launcher's lines (native/launcher/krun/status.schema.json). */
  readonly status: Readable;
}

/** How a system gives a VMM what it works with, starts it, and finds it again. */
export interface KrunHost {
  /** What the guest's kernel is, for its processor. */
  readonly kernelFormat: 'elf' | 'raw';
  /** Names of files that this host makes in a VM's directory, beside those of the disks. */
  readonly files: readonly string[];
  /** Whether the launcher tells when the machine runs. Elsewhere the guest's knock or its end does. */
  readonly tellsRunning: boolean;
  /** Whether a VM is paused by stopping its process. */
  readonly stopsProcesses: boolean;
  /** Where the guest's agent of a VM with this directory is connected to. */
  agentAddress(directory: string): string;
  /** Opens what a machine needs. @param undo closes and ends it */
  equip(spec: VmSpec, machine: KrunMachine, undo: AsyncDisposableStack): Promise<Outfit>;
  /** Takes up what an earlier process held of a VM that runs. */
  resume(directory: string): Holdings;
}
