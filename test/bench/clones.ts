/**
 * Clones of templates. Bars: `run --rm` of a no-op from a cached image, command line to exit, p50 at most 600 ms and p95
 * at most 900 ms; 6 clones a second for a minute on 2 cores, start to first answer; 20 idle boxes of 128 MiB with at most
 * 40 MiB Pss each for VMM and network gateway, and under 1 % of a core each.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { BoxClient } from '@a3s-box/core/client';
import { BareHost } from '../e2e/support/bare-vm.ts';
import { BoxCli, stopSupervisor } from '../e2e/support/box-cli.ts';
import { sparesIn, vmmOf } from '../e2e/support/home-files.ts';
import { BIN } from './support/paths.ts';
import { cpuSecondsOf, pssOf, runProgram } from './support/process.ts';
import { round, summarize, timed } from './support/samples.ts';

const MIB = 2 ** 20;
const SMALL_BYTES = 128 * MIB;
const RUNS_APART = 30;
/** Long enough for a machine to be made ahead, as between commands that somebody types. */
const APART_MS = 2000;
const RUNS_IN_A_ROW = 50;
const CHURN_MS = 60_000;
const CHURNERS = 3;
const IDLE_BOXES = 20;
const SETTLE_MS = 10_000;
const WATCH_MS = 30_000;

export async function run() {
  await using cli = await BoxCli.create();
  await cli.run(['template', 'create']);
  await cli.run(['template', 'create', '-m', '128m']);
  await cli.run(['template', 'create', '-m', '128m', '--network', 'none']);
  const figures = {
    apart: await noops(cli, RUNS_APART, APART_MS),
    inARow: await noops(cli, RUNS_IN_A_ROW, 0),
    boxes: await churn(cli),
    idle: await idle(cli),
  };
  await stopSupervisor(cli.home);
  return { ...figures, clones: await clones(cli) };
}

async function noops({ home }: BoxCli, runs: number, pauseMs: number) {
  const env = { ...process.env, A3S_BOX_HOME: home };
  const samples: number[] = [];
  await runProgram(BIN, ['run', '--rm', 'a3s/starter', 'true'], env);
  for (let i = 0; i < runs; i++) {
    await delay(pauseMs);
    samples.push(await timed(() => runProgram(BIN, ['run', '--rm', 'a3s/starter', 'true'], env)));
  }
  return { bar: 'p50 <= 600 ms, p95 <= 900 ms', pauseMs, load: loadavg(), ...summarize(samples, 'ms') };
}

/** Clones that are started to their first answer, a few at a time, and ended at once, for a minute. */
async function clones({ home }: BoxCli) {
  await using host = await BareHost.open(home, { templates: true });
  const start = async () => {
    await using vm = await host.start({ memoryBytes: SMALL_BYTES, clone: true });
    if (vm.running.origin !== 'clone') throw new Error('a machine booted');
  };
  return { bar: 'perSecond >= 6', ...(await sustained(start)) };
}

/** Boxes that are started to their workload's first instruction, a few at a time, and ended at once, for a minute. */
async function churn({ home }: BoxCli) {
  using client = await BoxClient.connect({ home });
  const start = async () => {
    const { id } = await client.runDetached(smallBox());
    await client.remove(id, { force: true });
  };
  return await sustained(start);
}

async function sustained(start: () => Promise<void>) {
  const load = loadavg();
  const begin = performance.now();
  const samples: number[] = [];
  const work = async () => {
    while (performance.now() < begin + CHURN_MS) samples.push(await timed(start));
  };
  await Promise.all(Array.from({ length: CHURNERS }, work));
  const seconds = (performance.now() - begin) / 1000;
  return { load, perSecond: round(samples.length / seconds), ...summarize(samples, 'ms') };
}

async function idle({ home }: BoxCli) {
  using client = await BoxClient.connect({ home });
  const ids: string[] = [];
  for (let i = 0; i < IDLE_BOXES; i++) ids.push((await client.runDetached(smallBox())).id);
  const boxes = await Promise.all(ids.map((id) => client.inspect(id)));
  const vmms = boxes.map(({ vmmPid }) => vmmPid!);
  await delay(SETTLE_MS);
  const spares = sparesIn(home).flatMap((id) => vmmOf(home, id)?.pid ?? []);
  const helpers = helpersOf(client.supervisor.pid, [...vmms, ...spares]);
  const all = [...vmms, ...helpers];
  const cpu = () => all.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  const before = cpu();
  await delay(WATCH_MS);
  const used = cpu() - before;
  const pss = (pids: readonly number[]) => round(pids.reduce((sum, pid) => sum + pssOf(pid), 0) / MIB / IDLE_BOXES);
  const figures = {
    bar: 'pssMiB <= 40, cpuShare < 0.01, a box',
    load: loadavg(),
    clones: boxes.filter(({ cloned }) => cloned).length,
    vmmPssMiB: pss(vmms),
    helperPssMiB: pss(helpers),
    pssMiB: pss(all),
    sparePssMiB: round(spares.reduce((sum, pid) => sum + pssOf(pid), 0) / MIB),
    supervisorPssMiB: round(pssOf(client.supervisor.pid) / MIB),
    cpuShare: round(used / (WATCH_MS / 1000) / IDLE_BOXES),
  };
  for (const id of ids) await client.remove(id, { force: true });
  return figures;
}

function smallBox() {
  const common = { environment: [], terminal: false, stdinOpen: false, autoRemove: false, labels: {} };
  return { image: 'a3s/starter', command: ['sleep', '3600'], memoryBytes: SMALL_BYTES, ...common };
}

/** Processes that serve boxes beside their VMMs. */
function helpersOf(supervisor: number, vmms: readonly number[]): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && parentOf(pid) === supervisor && !vmms.includes(pid));
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[1]);
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}
