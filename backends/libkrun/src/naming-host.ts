import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { join } from 'node:path';
import { BoxError, type HostPlatform, type VmSpec } from '@a3s-box/core';
import { processStartTime } from '@a3s-box/native';
import { ConsoleLog, DescriptorTable } from '@a3s-box/vmm';
import type { Handout } from './handout.js';
import { KNOCKED, KnockListener } from './knock-listener.js';
import type { Holdings, KrunHost, KrunMachine, Outfit, StartedLauncher } from './krun-host.js';
import { requireLauncher } from './launcher-program.js';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** As large as an empty slot's disk is with inherited descriptors, where a file's holes take no room. */
const SPARSE_BYTES = 64 * GIB;
/** Where they may. */
const FULL_BYTES = 1 * MIB;

export interface NamingHostOptions {
  /** Only its endpoints and its name matter here. */
  readonly platform: Pick<HostPlatform, 'name' | 'endpoint'>;
  readonly kernelFormat: KrunHost['kernelFormat'];
  /** Another launcher, what it runs through, and its environment, in tests. */
  readonly launch?: (spec: VmSpec) => {
    readonly program?: string;
    readonly through?: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
  };
}

/**
 * macOS and Windows: the VMM runs as the user who starts it, and opens what it works with by name.
 *
 * macOS: the console is a named pipe whose ends the VMM inherits, so that it never waits for a reader. Windows: sockets and
 * the console are named pipes.
 */
export function namingHost(options: NamingHostOptions): KrunHost {
  const { platform, kernelFormat } = options;
  const agentAddress = (directory: string): string => platform.endpoint(join(directory, 'agent.sock'));
  return {
    kernelFormat,
    files: ['agent.sock', 'knock.sock', KNOCKED, 'console', 'console.log', 'console.sock', 'zeros'],
    tellsRunning: false,
    stopsProcesses: platform.name !== 'windows',
    agentAddress,
    equip: (spec, machine, undo) => equip(options, { spec, machine }, undo),
    resume: (directory) => resume(directory, options),
  };
}

class NamedHandout implements Handout {
  readonly unnamed: number[] = [];
  #zeros: string | undefined;

  constructor(
    private readonly directory: string,
    private readonly placeholderBytes: number,
  ) {}

  open(path: string): string {
    return path;
  }

  openUnnamed(path: string): string {
    return path;
  }

  zeros(): string {
    if (this.#zeros !== undefined) return this.#zeros;
    const path = join(this.directory, 'zeros');
    const file = openSync(path, 'wx', 0o600);
    try {
      ftruncateSync(file, this.placeholderBytes);
    } finally {
      closeSync(file);
    }
    return (this.#zeros = path);
  }
}

interface Subject {
  readonly spec: VmSpec;
  readonly machine: KrunMachine;
}

async function equip(options: NamingHostOptions, subject: Subject, undo: AsyncDisposableStack): Promise<Outfit> {
  const { platform } = options;
  const { spec, machine } = subject;
  const { directory, boot, network } = spec;
  const table = undo.use(new DescriptorTable());
  const document = table.pipe();
  const status = table.pipe();
  const handout = new NamedHandout(directory, platform.name === 'windows' ? FULL_BYTES : SPARSE_BYTES);
  const { console, name } = await openConsole(directory, { platform, table, handout });
  undo.defer(() => console.close());
  const knock = platform.endpoint(join(directory, 'knock.sock'));
  const announcement = await KnockListener.listen(directory, knock);
  undo.defer(() => announcement.close());
  const files = {
    library: machine.library,
    kernel: boot.kernel,
    initramfs: boot.initramfs,
    console: name,
    agent: platform.endpoint(join(directory, 'agent.sock')),
    announcement: knock,
    ...(network && { network: { path: network.socket } }),
  };
  const start = async (): Promise<StartedLauncher> => {
    const { program = requireLauncher(), through = [], environment = {} } = options.launch?.(spec) ?? {};
    const [command, ...parameters] = [...through, program, String(document), String(status)];
    // The launcher makes a session of its own; on Windows it is detached from this one's console.
    const child = spawn(command, parameters, {
      cwd: directory,
      env: environment,
      detached: platform.name === 'windows',
      windowsHide: true,
      stdio: ['ignore', 'ignore', 'pipe', 'ignore', ...table.inherited],
    });
    await once(child, 'spawn').catch((cause: unknown) => {
      throw new BoxError('VM_START_FAILED', `the launcher ${program} could not be started`, { cause });
    });
    table[Symbol.dispose]();
    // It waits for its document, and ends without one when this process dies.
    const pid = child.pid ?? 0;
    try {
      spec.onLaunch?.({ pid, startTime: processStartTime(pid) ?? '' });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return { child, document: child.stdio[document] as Writable, status: child.stdio[status] as Readable };
  };
  return { console, announcement, files, handout, start };
}

interface ConsoleParts {
  readonly platform: NamingHostOptions['platform'];
  readonly table: DescriptorTable;
  readonly handout: NamedHandout;
}

async function openConsole(
  directory: string,
  { platform, table, handout }: ConsoleParts,
): Promise<{ console: ConsoleLog; name: string }> {
  if (platform.name === 'windows') {
    const name = platform.endpoint(join(directory, 'console.sock'));
    return { console: await ConsoleLog.serve(directory, name), name };
  }
  const { log: console, writer, reader } = ConsoleLog.create(directory, table);
  // Opened again by this name it is the same opening, which does not wait when the pipe is full.
  handout.unnamed.push(writer, reader);
  return { console, name: `/dev/fd/${writer}` };
}

function resume(directory: string, { platform }: NamingHostOptions): Holdings {
  using undo = new DisposableStack();
  const console = platform.name === 'windows' ? ConsoleLog.restore(directory) : ConsoleLog.resume(directory);
  undo.defer(() => console.close());
  const announcement = KnockListener.resume(directory, platform.endpoint(join(directory, 'knock.sock')));
  undo.move();
  return { console, announcement };
}
