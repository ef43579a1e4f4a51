import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { isAbsolute, join } from 'node:path';
import {
  BoxError,
  DISK_SLOTS,
  type BlockCounters,
  type DiskImage,
  type DiskSlot,
  type Hypervisor,
  type HypervisorCapability,
} from '@a3s-box/core';
import type { HypervisorProbe, Operation, Template, TemplateSpec, Vm, VmExit, VmRecord, VmSpec } from '@a3s-box/core';
import { createMemory, sealMemory } from '@a3s-box/native';
import { GuestConnection, processesOf } from '../dist/index.js';

/** One breach of the contract each; the kit must find every one. */
export const FAULTS = {
  'leaves its process on cancel': 'cancelled at any moment leaves neither process nor file',
  'leaves its files on cancel': 'cancelled at any moment leaves neither process nor file',
  'ignores cancel before the start': 'cancelled before it began starts nothing',
  'probes on when cancelled': 'is cancelled',
  'accepts any size': 'refuses memory that is no whole number of MiB',
  'drops unknown slots': 'refuses a slot that does not exist',
  'ignores undeclared capabilities': 'refuses what needs share by name',
  'boots any architecture': 'refuses a guest of another architecture that its probe does not offer',
  'makes disks writable': 'that are read-only stay as they are',
  'calls every end a power-off': 'by a stranger is told as not requested',
  'calls every kill requested': 'by a stranger is told as not requested',
  'forgets the console': 'is kept, its end given out',
  'returns the whole console': 'is kept, its end given out',
  'kills on close': 'takes over a VM whose handle was closed',
  'trusts the process id alone': 'takes no other process for the VMM',
  'adopts any record': 'refuses a record of another backend or version',
  'is clogged by what nobody reads': 'takes over a VM whose host had stopped to read',
  'does not pause': 'stops the guest until resume; both may be called again',
  'runs at once': 'is there from the start when asked for',
  'swaps nothing': 'puts another image behind the slot, again and again',
  'starts to count anew with an image': 'count what the guest moves, and never go back',
  'hides a failed start': 'reports a VMM that ends before it runs, and leaves nothing',
  'kills once': 'by kill twice at the same time ends once',
  'boots instead of cloning': 'are made once; any number of guests goes on from there, each by itself',
  'leaves templates open to change': 'have clones whose VMM and guest cannot change them',
  'clones any template': 'that do not fit are refused, and nothing is left',
  'gives clones disks of any size': 'that do not fit are refused, and nothing is left',
  'leaves a VMM when a template is given up': 'that are given up leave neither process nor file',
  'makes templates with a share': 'cannot have a share',
} as const;
export type Fault = keyof typeof FAULTS;

const MIB = 1024 * 1024;
const LIMITS = { maxVcpus: 4, minMemoryBytes: 64 * MIB, maxMemoryBytes: 1024 * MIB };
export const CAPABILITIES: readonly HypervisorCapability[] = ['pause', 'swap-disk', 'block-counters', 'templates'];
const ARCHITECTURE = 'amd64';
const FINGERPRINT = 'fake 1';
const STATE = 'state of a fake';
/** Size of the disks of templates and clones. */
const SLOT_BYTES = 64 * 1024 ** 3;

/** The Hypervisor port without a hypervisor: a child process plays VMM and guest. Right, but for the fault that it has. */
export class FakeHypervisor implements Hypervisor {
  readonly name = 'fake';
  readonly fault: Fault | undefined;

  constructor(fault?: Fault) {
    this.fault = fault;
  }

  probe({ signal }: Operation): Promise<HypervisorProbe> {
    if (signal.aborted && this.fault !== 'probes on when cancelled') return Promise.reject(cancelled());
    return Promise.resolve({
      usable: true,
      reason: 'it pretends',
      acceleration: 'emulation',
      capabilities: new Set(CAPABILITIES),
      limits: LIMITS,
      fingerprint: FINGERPRINT,
    });
  }

  async create(spec: VmSpec, { signal }: Operation): Promise<Vm> {
    const isDeaf = this.fault === 'ignores cancel before the start';
    if (signal.aborted && !isDeaf) throw cancelled();
    if (spec.boot.architecture !== ARCHITECTURE && this.fault !== 'boots any architecture') {
      throw new BoxError('BACKEND_UNAVAILABLE', 'the fake has no such processor');
    }
    check(spec, this.fault);
    if (spec.template !== undefined) checkTemplate(spec, spec.template, this.fault);
    writeFileSync(join(spec.directory, 'lock'), spec.id);
    const child = spawnVmm(spec, this.fault);
    const ready = await Promise.race([
      once(child.stdout!, 'data'),
      once(child, 'close'),
      ...(isDeaf ? [] : [aborted(signal)]),
    ]);
    if (ready === 'aborted') {
      if (this.fault !== 'leaves its process on cancel') {
        child.kill('SIGKILL');
        await once(child, 'close');
      }
      if (this.fault !== 'leaves its files on cancel') removeFiles(spec.directory);
      throw cancelled();
    }
    if (child.exitCode !== null && this.fault !== 'hides a failed start') {
      removeFiles(spec.directory);
      throw new BoxError('VM_START_FAILED', 'the fake vmm ended', { details: { exit: child.exitCode } });
    }
    const slots = Object.fromEntries(Object.entries(spec.disks).map(([slot, disk]) => [slot, slotOf(disk)]));
    const record: VmRecord = {
      backend: 'fake',
      version: 1,
      id: spec.id,
      vmm: { pid: child.pid!, startTime: startTime(child.pid!) ?? '0' },
      directory: spec.directory,
      details: { slots },
    };
    return new FakeVm(record, this.fault, child);
  }

  async makeTemplate(spec: TemplateSpec, { signal }: Operation): Promise<Template> {
    if (spec.shape.share && this.fault !== 'makes templates with a share') {
      throw new BoxError('UNSUPPORTED', 'a fake template has no share');
    }
    const { prepare, ...rest } = spec;
    const vm = await this.create({ ...rest, shape: { ...spec.shape, share: false }, disks: {} }, { signal });
    try {
      const outcome = await Promise.race([prepare(vm), aborted(signal)]);
      if (outcome === 'aborted') throw cancelled();
      using guest = await GuestConnection.open(vm.agent);
      const remembered = await guest.ask('recall');
      const files = { memory: memoryFile(remembered, spec.shape.memoryBytes), state: memoryFile(STATE, STATE.length) };
      if (this.fault !== 'leaves templates open to change') for (const file of Object.values(files)) sealMemory(file);
      const record = { backend: 'fake', version: 1, fingerprint: FINGERPRINT, shape: spec.shape, details: {} };
      await vm.kill();
      return { record, ...files };
    } finally {
      if (this.fault !== 'leaves a VMM when a template is given up') await vm.kill();
      removeFiles(spec.directory);
    }
  }

  adopt(record: VmRecord, { signal }: Operation): Promise<Vm> {
    if (signal.aborted) return Promise.reject(cancelled());
    if ((record.backend !== 'fake' || record.version !== 1) && this.fault !== 'adopts any record') {
      return Promise.reject(new BoxError('INVALID_ARGUMENT', 'the record is of another backend'));
    }
    const time = startTime(record.vmm.pid);
    const right = this.fault === 'trusts the process id alone' ? time !== undefined : time === record.vmm.startTime;
    if (!right) return Promise.reject(new BoxError('NOT_FOUND', 'the vmm is gone'));
    return Promise.resolve(new FakeVm(record, this.fault));
  }
}

interface Slot {
  readonly bytes: number;
  readonly readOnly: boolean;
}

class FakeVm implements Vm {
  readonly id: string;
  readonly vmm: Vm['vmm'];
  readonly agent: Vm['agent'];
  readonly exited: Promise<VmExit>;
  readonly record: VmRecord;
  readonly fault: Fault | undefined;
  #requested = false;
  #ended = false;
  #kills = 0;

  constructor(record: VmRecord, fault: Fault | undefined, child?: ChildProcess) {
    this.record = record;
    this.fault = fault;
    this.id = record.id;
    this.vmm = record.vmm;
    this.agent = { socket: join(record.directory, 'agent.sock'), listening: Promise.resolve() };
    this.exited = child === undefined ? this.#watch() : this.#reap(child);
  }

  async pause({ signal }: Operation): Promise<void> {
    if (this.fault === 'does not pause') await this.#check(signal);
    else await this.#order('pause', signal);
  }

  async resume({ signal }: Operation): Promise<void> {
    await this.#order('resume', signal);
  }

  async swapDisk(slot: DiskSlot, image: DiskImage, { signal }: Operation): Promise<void> {
    const state = (this.record.details['slots'] as Record<string, Slot>)[slot];
    const size = statSync(image.path, { throwIfNoEntry: false })?.size;
    if (state === undefined || size === undefined || size > state.bytes || image.readOnly !== state.readOnly) {
      throw new BoxError('INVALID_ARGUMENT', 'the image does not fit');
    }
    if (this.fault === 'swaps nothing') return;
    await this.#order(`swap ${slot} ${image.path}`, signal);
    if (this.fault === 'starts to count anew with an image') await this.#order('forget', signal);
  }

  async blockCounters({ signal }: Operation): Promise<BlockCounters> {
    const [readBytes = '', writtenBytes = ''] = (await this.#order('counters', signal)).trim().split(' ');
    return { readBytes: BigInt(readBytes), writtenBytes: BigInt(writtenBytes) };
  }

  /** Its disks have room always. */
  onNoSpace(): () => void {
    return () => {};
  }

  consoleTail(bytes: number): Promise<string> {
    if (this.fault === 'forgets the console') return Promise.resolve('');
    const file = join(this.record.directory, 'console.log');
    const all = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
    const start = this.fault === 'returns the whole console' ? 0 : Math.max(0, all.length - bytes);
    return Promise.resolve(all.subarray(start).toString('utf8'));
  }

  async kill(): Promise<void> {
    this.#requested = true;
    if (++this.#kills > 1 && this.fault === 'kills once') throw new TypeError('killed already');
    if (!this.#ended) process.kill(this.vmm.pid, 'SIGKILL');
    await this.exited;
  }

  async close(): Promise<void> {
    if (this.fault === 'kills on close' && !this.#ended) await this.kill();
  }

  async #check(signal: AbortSignal): Promise<void> {
    await Promise.resolve();
    if (signal.aborted) throw cancelled();
    if (this.#ended) throw new BoxError('VM_ENDED', 'the vm has ended');
  }

  /** @returns what the VMM answers */
  async #order(line: string, signal: AbortSignal): Promise<string> {
    await this.#check(signal);
    const socket = connect(join(this.record.directory, 'control.sock'));
    socket.write(`${line}\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return answer.toString();
  }

  async #reap(child: ChildProcess): Promise<VmExit> {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    this.#ended = true;
    if (child.signalCode === null || this.fault === 'calls every end a power-off') return { kind: 'powered-off' };
    const requested = this.fault === 'calls every kill requested' || this.#requested;
    return { kind: 'vmm-killed', signal: child.signalCode, outOfMemory: false, requested };
  }

  /** A fake may poll. */
  async #watch(): Promise<VmExit> {
    while (startTime(this.vmm.pid) === this.vmm.startTime)
      await new Promise((resolve) => setTimeout(resolve, 2).unref());
    this.#ended = true;
    if (!this.#requested) return { kind: 'unknown' };
    return { kind: 'vmm-killed', signal: 'SIGKILL', outOfMemory: false, requested: true };
  }
}

function slotOf(disk: DiskImage): Slot {
  return { bytes: statSync(disk.path).size, readOnly: disk.readOnly };
}

function memoryFile(text: string, bytes: number): number {
  const file = createMemory('fake', bytes);
  writeSync(file, text, 0);
  return file;
}

function textOf(file: number): string {
  const data = Buffer.alloc(64);
  return data.toString('utf8', 0, readSync(file, data, 0, data.length, 0)).replaceAll('\0', '');
}

function checkTemplate(spec: VmSpec, { record, state }: Template, fault: Fault | undefined): void {
  const fits =
    record.backend === 'fake' && record.version === 1 && record.fingerprint === FINGERPRINT && textOf(state) === STATE;
  const ofShape = record.shape.memoryBytes === spec.shape.memoryBytes;
  if (!(fits && ofShape) && fault !== 'clones any template') throw new BoxError('TEMPLATE_UNUSABLE', 'it does not fit');
  const sized = Object.entries(spec.disks).every(
    ([slot, disk]) => disk.readOnly || (slot === 'scratch' && statSync(disk.path).size === SLOT_BYTES),
  );
  if (!sized && fault !== 'gives clones disks of any size') throw new BoxError('UNSUPPORTED', 'a disk does not fit');
}

function spawnVmm(spec: VmSpec, fault: Fault | undefined): ChildProcess {
  const disks = Object.entries(spec.disks).map(([slot, { path, readOnly }]) => {
    return [slot, { path, readOnly: readOnly && fault !== 'makes disks writable' }];
  });
  const orders = {
    directory: spec.directory,
    kernel: spec.boot.kernel,
    shape: spec.shape,
    disks: Object.fromEntries(disks) as unknown,
    paused: spec.paused === true && fault !== 'runs at once',
    clogs: fault === 'is clogged by what nobody reads',
    ...(spec.template !== undefined &&
      fault !== 'boots instead of cloning' && {
        clone: { remembered: textOf(spec.template.memory), slotBytes: SLOT_BYTES },
      }),
  };
  const vmm = join(import.meta.dirname, 'fake-vmm.ts');
  const child = spawn(process.execPath, [vmm, JSON.stringify(orders)], { stdio: ['ignore', 'pipe', 'ignore'] });
  return child;
}

function check(spec: VmSpec, fault: Fault | undefined): void {
  const invalid = (what: string): BoxError => new BoxError('INVALID_ARGUMENT', what);
  const { vcpus, memoryBytes, network, share } = spec.shape;
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(spec.id)) throw invalid('id');
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > LIMITS.maxVcpus) throw invalid('vcpus');
  const sized = memoryBytes >= LIMITS.minMemoryBytes && memoryBytes <= LIMITS.maxMemoryBytes && memoryBytes % MIB === 0;
  if (!sized && fault !== 'accepts any size') throw invalid('memory');
  if (!isAbsolute(spec.directory) || readdirSync(spec.directory).length > 0) throw invalid('directory');
  const known = Object.keys(spec.disks).every((slot) => (DISK_SLOTS as readonly string[]).includes(slot));
  if (!known && fault !== 'drops unknown slots') throw invalid('slot');
  const formats = Object.values(spec.disks).map(({ format }) => format);
  if ((network || share || formats.includes('vmdk')) && fault !== 'ignores undeclared capabilities') {
    throw new BoxError('UNSUPPORTED', 'the fake has no such device');
  }
  if (spec.shareSocket !== undefined && !share) throw invalid('share');
  if (!Object.values(spec.disks).every(({ path }) => existsSync(path))) throw invalid('disk');
}

function removeFiles(directory: string): void {
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
}

function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ');
    return stat?.[0] === 'Z' ? undefined : stat?.[19];
  } catch {
    return undefined;
  }
}

function cancelled(): BoxError {
  return new BoxError('CANCELLED', 'the call was cancelled');
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
    if (signal.aborted) resolve('aborted');
  });
}

/** Ends what a broken fake left. */
export function endStrays(directory: string): void {
  for (const line of processesOf(directory)) process.kill(Number(line.split(' ')[0]), 'SIGKILL');
}
