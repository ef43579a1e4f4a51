/** The emulated machine: QEMU's command line, and the process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Duplex } from 'node:stream';
import { QmpStream } from './qmp-stream.ts';

export const MEMORY_MIB = 3072;
/** One: what runs in the host is a chain that one processor serves, and two cost half as much again in shoot-downs. */
const VCPUS = 1;
/** Cache of translated code. Node alone fills a good part of it. */
const TRANSLATION_CACHE_MIB = 512;
/** In the order in which the guest numbers them. It finds them by their names. */
export const DISKS = ['base', 'toolchain', 'modules', 'project', 'scratch'] as const;

export type DiskName = (typeof DISKS)[number];

export interface MachineFiles {
  readonly memory: string;
  readonly disks: Readonly<Record<DiskName, string>>;
}

export interface MachineOptions extends MachineFiles {
  /** What it boots; absent for one whose state is loaded. */
  readonly boot?: { readonly kernel: string; readonly initramfs: string; readonly tscKhz: number };
  /** File for what it writes to its console. */
  readonly consoleLog: string;
}

/** Everything on the command line that shapes the machine, but for the files. */
export function machineShape(): string[] {
  return [
    ...['-M', 'q35,memory-backend=ram,hpet=off', '-m', `${MEMORY_MIB}M`, '-smp', String(VCPUS)],
    // The emulated AMD processor has virtualisation with nested paging, which makes the guest a KVM host.
    ...['-accel', `tcg,thread=single,tb-size=${TRANSLATION_CACHE_MIB}`, '-cpu', 'max,+svm,-la57,-erms'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
    ...['-device', 'virtio-rng-pci', '-device', 'virtio-net-pci,netdev=net,romfile='],
  ];
}

/** A machine that runs; `close` ends it at once. It ends with this process in any case. */
export class Machine implements AsyncDisposable {
  /** Resolves when QEMU has ended, with what it said on stderr. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #qmp: QmpStream;
  readonly #ready: Promise<void>;

  private constructor(child: ChildProcess, qmp: QmpStream, ended: Promise<string>, ready: Promise<void>) {
    this.#child = child;
    this.#qmp = qmp;
    this.ended = ended;
    this.#ready = ready;
  }

  static async start(options: MachineOptions): Promise<Machine> {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...commandLine(options)], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = child;
    const log = createWriteStream(options.consoleLog);
    stdout?.pipe(log);
    let errors = '';
    stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const ended = Promise.all([once(child, 'close'), finished(log)]).then(() => errors);
    const ready = Promise.withResolvers<void>();
    let seen = '';
    stdout?.setEncoding('utf8').on('data', (text: string) => {
      seen = (seen + text).slice(-4096);
      if (seen.includes('kvm-host: ready')) ready.resolve();
    });
    try {
      const qmp = await QmpStream.open(child.stdio[3] as Duplex);
      return new Machine(child, qmp, ended, ready.promise);
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`the KVM host's machine did not start: ${await ended}`, { cause: error });
    }
  }

  /** Waits until a machine that boots has said that it is ready. */
  async ready(limitMs: number): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), limitMs);
    try {
      const end = await Promise.race([this.#ready, this.ended]);
      if (typeof end === 'string') throw new Error(`the KVM host ended, or did not boot within ${limitMs} ms: ${end}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops the machine for good and keeps the state of its devices. */
  async save(stateFile: string): Promise<void> {
    await this.#qmp.execute('stop');
    await this.#qmp.saveState(stateFile);
    await this.close();
  }

  async load(stateFile: string): Promise<void> {
    await this.#qmp.loadState(stateFile);
    await this.#qmp.execute('cont');
  }

  /** The port on 127.0.0.1 that leads to the host's secure shell. */
  async shellPort(): Promise<number> {
    const table = await this.#qmp.execute('human-monitor-command', { 'command-line': 'info usernet' });
    const port = /HOST_FORWARD\D+\d+\s+127\.0\.0\.1\s+(\d+)/.exec(String(table))?.[1];
    if (port === undefined) throw new Error(`QEMU forwards no port: ${String(table)}`);
    return Number(port);
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function commandLine({ boot, memory, disks }: MachineOptions): string[] {
  const access = boot === undefined ? 'off' : 'on';
  const network = 'user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22';
  return [
    ...machineShape(),
    ...['-object', `memory-backend-file,id=ram,size=${MEMORY_MIB}M,mem-path=${memory},share=${access}`],
    ...DISKS.flatMap((name) => diskOptions(name, disks[name])),
    ...['-netdev', network],
    ...['-chardev', 'socket,id=qmp,fd=3', '-mon', 'chardev=qmp,mode=control'],
    ...(boot === undefined ? ['-incoming', 'defer'] : bootOptions(boot)),
  ];
}

function bootOptions({ kernel, initramfs, tscKhz }: NonNullable<MachineOptions['boot']>): string[] {
  // As in the QEMU backend: an emulated guest that measures its counter under load gets it wrong.
  const clock = `no_timer_check tsc=reliable tsc_early_khz=${tscKhz}`;
  const append = `console=ttyS0 quiet panic=-1 mitigations=off audit=0 lsm=landlock,capability kvm.halt_poll_ns=0 norandmaps ${clock}`;
  return ['-kernel', kernel, '-initrd', initramfs, '-append', append];
}

function diskOptions(name: DiskName, file: string): string[] {
  const readOnly = name === 'scratch' ? 'off' : 'on';
  const cache = 'cache=unsafe,aio=threads,discard=unmap,detect-zeroes=unmap';
  const drive = `if=none,id=${name},file=${file},format=raw,read-only=${readOnly},file.locking=off,${cache}`;
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=${name},serial=${name}`];
}
