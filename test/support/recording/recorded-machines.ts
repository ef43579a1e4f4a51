/** Runs a libkrun backend that names its files (macOS, Windows) on Linux, against the recording libkrun. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootAssets, HostPlatform, Logger, VmSpec } from '@a3s-box/core';
import { KrunHypervisor, namingHost, SystemProbe, type KrunHost, type KrunSystem } from '@a3s-box/libkrun';
import { ProbeCache } from '@a3s-box/vmm';
import { buildNamingLauncher } from './naming-launcher.ts';
import { buildRecordingLibkrun, type RecordingOptions } from '../../../native/recording-libkrun/build.ts';
import { StandInGuest } from './stand-in-guest.ts';

/** What native/probe/init.c writes. */
const GREETING = 'a3s-box probe: guest is up\n';
const ENVIRONMENT = 'A3S_RECORDING_LIBKRUN_';
/**
 * The launcher refuses to be root, and an ordinary user may not open root's files: as root it runs as another user who may
 * open any file. That is what running everything as one ordinary user looks like.
 */
const AS_ORDINARY_USER = [
  ...['/usr/bin/setpriv', '--reuid=12345', '--regid=12345', '--clear-groups'],
  ...['--inh-caps=-all,+dac_override', '--ambient-caps=-all,+dac_override'],
];

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

export interface RecordedBackend {
  readonly name: string;
  /** Names of endpoints: on Linux each is a Unix socket, whatever the system calls it. */
  readonly platform: Pick<HostPlatform, 'name' | 'endpoint'>;
  /** The system under test, which finds this library. */
  system(library: string, directory: string): KrunSystem;
}

/** The machines of one test file. Dispose of it after each case: that ends the guests, not the machines. */
export class RecordedMachines {
  readonly directory = mkdtempSync(join(tmpdir(), 'rec-'));
  readonly host: KrunHost;
  readonly #guests = new Map<string, StandInGuest>();
  readonly #backend: RecordedBackend;
  #launcher: string | undefined;
  readonly #failures = new Map<string, string>();

  constructor(backend: RecordedBackend) {
    this.#backend = backend;
    this.host = namingHost({
      platform: backend.platform,
      // As this machine's processor asks for.
      kernelFormat: 'elf',
      launch: (spec) => ({
        program: (this.#launcher ??= buildNamingLauncher(this.directory)),
        through: process.geteuid?.() === 0 ? AS_ORDINARY_USER : [],
        environment: { ...this.#environmentOf(spec), ...Object.fromEntries(this.#failures) },
      }),
    });
  }

  /** The provider under test, on a recording libkrun of its own. */
  hypervisor(directory: string, options: RecordingOptions = {}): KrunHypervisor {
    const state = join(directory, 'state');
    mkdirSync(state, { recursive: true });
    const { name } = this.#backend;
    const system = this.#backend.system(buildRecordingLibkrun(directory, options), state);
    const cache = new ProbeCache(state);
    const boot = RecordedMachines.boot(directory);
    const { host } = this;
    const probe = new SystemProbe({ name, system, host, cache, directory: state, probeAssets: () => boot });
    return new KrunHypervisor(name, probe, silent, host);
  }

  /** Files that look like a kernel and an initramfs: the recording libkrun looks no closer. */
  static boot(directory: string): Promise<BootAssets> {
    const kernel = join(directory, 'kernel');
    const initramfs = join(directory, 'initramfs');
    copyFileSync('/bin/true', kernel);
    writeFileSync(initramfs, 'initramfs');
    return Promise.resolve({ architecture: 'amd64', kernel, initramfs });
  }

  /** Has these functions of the next machines' library give these results, until the end of the case. */
  fail(results: Readonly<Record<string, number>>): void {
    const list = Object.entries(results).map(([name, result]) => `${name}=${result}`);
    this.#failures.set(`${ENVIRONMENT}RESULTS`, list.join(','));
  }

  guest(id: string): StandInGuest {
    const guest = this.#guests.get(id);
    if (guest === undefined) throw new TypeError(`no machine ${id} was started`);
    return guest;
  }

  endGuests(): void {
    for (const guest of this.#guests.values()) guest.dispose();
    this.#guests.clear();
    this.#failures.clear();
  }

  dispose(): void {
    this.endGuests();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #environmentOf({ id }: VmSpec): Readonly<Record<string, string>> {
    if (id === 'probe') return { [`${ENVIRONMENT}CONSOLE`]: GREETING, [`${ENVIRONMENT}EXIT`]: '0' };
    const guest = new StandInGuest();
    this.#guests.set(id, guest);
    return guest.environment;
  }
}
