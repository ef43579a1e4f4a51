/**
 * Memory and CPU of the VMM of an idle box of 256 MiB. Bars: at most 130 MiB Pss, under 2 % of a core. The supervisor is
 * one process for all boxes and is counted apart.
 */
import { BoxClient } from '@a3s-box/core/client';
import { setTimeout as delay } from 'node:timers/promises';
import { translationCacheMib } from '../../backends/qemu/dist/machine-options.js';
import { BoxCli } from '../e2e/support/box-cli.ts';
import { cpuSecondsOf, pssOf } from './support/process.ts';
import { round } from './support/samples.ts';

const SETTLE_MS = 5000;
const WATCH_MS = 30_000;
const MIB = 2 ** 20;

export async function run() {
  await using cli = await BoxCli.create();
  const ended = cli.run(['run', '--rm', '--name', 'idle', '-m', '256m', 'a3s/starter', 'sleep', '3600']);
  const client = await connected(cli);
  const box = await running(client, 'idle');
  await delay(SETTLE_MS);
  const before = cpuSecondsOf(box.vmmPid);
  await delay(WATCH_MS);
  const cpuShare = (cpuSecondsOf(box.vmmPid) - before) / (WATCH_MS / 1000);
  const figures = {
    bar: 'vmmPssMiB <= 130, cpuShare < 0.02',
    tbSizeMiB: translationCacheMib(256 * MIB),
    vmmPssMiB: round(pssOf(box.vmmPid) / MIB),
    supervisorPssMiB: round(pssOf(client.supervisor.pid) / MIB),
    cpuShare: round(cpuShare),
  };
  await client.remove('idle', { force: true });
  client.close();
  await ended;
  return figures;
}

async function connected(cli: BoxCli): Promise<BoxClient> {
  // The first command starts the supervisor.
  await cli.run(['info']);
  return BoxClient.connect({ home: cli.home });
}

async function running(client: BoxClient, name: string) {
  for (;;) {
    const box = (await client.list({ all: true })).find((it) => it.name === name);
    if (box?.state === 'running' && box.vmmPid !== undefined) return { ...box, vmmPid: box.vmmPid };
    await delay(100);
  }
}
