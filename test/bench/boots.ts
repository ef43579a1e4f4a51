/**
 * Boots guests two at a time, 50 with 4 vCPUs and 100 with 1, each until its agent has answered and its kernel has
 * settled on a clock. Bar: every one comes up at the first attempt, without a panic, on the TSC clock.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AccelerationProbe, QemuHypervisor } from '../../backends/qemu/dist/index.js';
import { ProbeCache } from '../../backends/vmm/dist/index.js';
import { AgentService, HelloRequest } from '../../core/dist/gen/a3s/box/agent/v1/agent.js';
import { AgentSession } from '../../core/dist/guest/agent-session.js';
import { FRESH_BOOT_SESSION_KEY, SESSION_KEY_BYTES } from '../../core/dist/guest/session-opening.js';
import type { BootAssets, Hypervisor, Logger, Vm } from '../../core/dist/index.js';
import { BootAssetStore } from '../../core/dist/vm/assets/boot-asset-store.js';
import { guestInitPath } from '../../guest-init/index.js';
import { libkrunfwPath } from '../../native/dist/index.js';
import { summarize } from './support/samples.ts';

const SERIES = [
  { vcpus: 4, boots: 50 },
  { vcpus: 1, boots: 100 },
] as const;
const AT_A_TIME = 2;
const LIMIT_MS = 60_000;
const MEMORY_BYTES = 256 * 1024 * 1024;

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

interface Boot {
  readonly milliseconds?: number;
  readonly clockSource?: string;
  /** Why it does not count; with the end of the console. */
  readonly failure?: string;
}

export async function run() {
  const home = mkdtempSync(join(tmpdir(), 'boots-'));
  try {
    const assets = new BootAssetStore(join(home, 'assets'), { libkrunfw: libkrunfwPath(), init: guestInitPath() });
    const boot = await assets.boot({ signal: AbortSignal.timeout(LIMIT_MS) });
    const probe = new AccelerationProbe({
      cache: new ProbeCache(home),
      directory: home,
      probeAssets: (operation) => assets.boot(operation),
      accelerator: 'tcg',
    });
    const hypervisor = new QemuHypervisor(probe, silent);
    const series = [];
    for (const { vcpus, boots } of SERIES) series.push(await runSeries(hypervisor, { home, boot, vcpus, boots }));
    return { bar: 'failures and otherClocks are empty', atATime: AT_A_TIME, series };
  } finally {
    rmSync(home, { recursive: true });
  }
}

interface SeriesSpec {
  readonly home: string;
  readonly boot: BootAssets;
  readonly vcpus: number;
  readonly boots: number;
}

async function runSeries(hypervisor: Hypervisor, spec: SeriesSpec) {
  const results: Boot[] = [];
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < spec.boots) results.push(await bootOnce(hypervisor, spec, ++started));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  const times = results.flatMap(({ milliseconds }) => milliseconds ?? []);
  return {
    vcpus: spec.vcpus,
    boots: results.length,
    failures: results.flatMap(({ failure }) => failure ?? []),
    otherClocks: results.flatMap(({ clockSource }) =>
      clockSource === undefined || clockSource === 'tsc' ? [] : clockSource,
    ),
    untilHello: summarize(times, 'ms'),
  };
}

async function bootOnce(hypervisor: Hypervisor, { home, boot, vcpus }: SeriesSpec, number: number): Promise<Boot> {
  const directory = join(home, `v${number}-${vcpus}`);
  mkdirSync(directory, { mode: 0o700 });
  const signal = AbortSignal.timeout(LIMIT_MS);
  const start = performance.now();
  const shape = { vcpus, memoryBytes: MEMORY_BYTES, network: false, share: false };
  const vm = await hypervisor.create({ id: `boot-${number}`, directory, boot, shape, disks: {} }, { signal });
  try {
    return await helloOf(vm, start, signal);
  } catch (error) {
    return { failure: `${String(error)}\n${await vm.consoleTail(4096)}` };
  } finally {
    await vm.kill();
    await vm.close();
    rmSync(directory, { recursive: true });
  }
}

async function helloOf(vm: Vm, start: number, signal: AbortSignal): Promise<Boot> {
  const ended = new AbortController();
  void vm.exited.then(() => ended.abort(new Error('the VM ended')));
  using session = await AgentSession.open({
    socket: vm.agent.socket,
    key: FRESH_BOOT_SESSION_KEY,
    nextKey: randomBytes(SESSION_KEY_BYTES),
    signal: AbortSignal.any([signal, ended.signal]),
  });
  const milliseconds = performance.now() - start;
  let { clockSource } = session.hello;
  // For its first second the kernel calls the counter tsc-early, and decides then.
  while (clockSource === 'tsc-early') {
    await delay(100);
    ({ clockSource } = await session.call(
      AgentService.hello,
      HelloRequest.create({ entropy: randomBytes(32) }),
      signal,
    ));
  }
  return { milliseconds, clockSource };
}
