/**
 * Inside the KVM host: start to exit of a no-op through the SDK in a warm supervisor, on libkrun and on QEMU with KVM, against
 * the bare program. Writes one JSON value. `node krun-in-host.ts BARE_PROGRAM ROUNDS`
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoxClient, BoxSpec } from '@a3s-box/core/client';
import { guestInitPath } from '@a3s-box/guest-init';
import { libkrunfwPath, libkrunPackagePath } from '@a3s-box/native';
import { BootAssetStore } from '../../../core/dist/vm/assets/boot-asset-store.js';
import { cloneScratch } from '../../../core/dist/vm/assets/scratch-disk.js';
import { SdkHome } from '../../e2e/support/sdk-home.ts';
import { BIN } from './paths.ts';
import { runProgram } from './process.ts';
import { compared, summarize, timed } from './samples.ts';

const [bare = '', rounds = '5'] = process.argv.slice(2);
const signal = new AbortController().signal;
/** The bare program's machine has impersonated sockets; a network card and its gateway are measured beside. */
const KRUN = { backend: 'libkrun-kvm', network: 'tsi' };

const directory = mkdtempSync(join(tmpdir(), 'bk'));
const transcript = join(directory, 'transcript');
const scratch = join(directory, 'scratch.img');
await recordSession();
await using home = await SdkHome.create(undefined, false);
const client = await home.connect();
try {
  await noOp(home, client, KRUN);
  const command = await bareArguments();
  const sdk: number[] = [];
  const bareProgram: number[] = [];
  for (let round = 0; round <= Number(rounds); round++) {
    const ours = await timed(() => noOp(home, client, KRUN));
    await freshScratch();
    const theirs = await timed(() => runProgram(bare, command));
    // The first of each warms what both use.
    if (round === 0) continue;
    sdk.push(ours);
    bareProgram.push(theirs);
  }
  const krun = compared(sdk, bareProgram);
  console.error(`libkrun: SDK p50 ${krun.a.p50} ms, bare program p50 ${krun.b.p50} ms, ratio ${krun.ratioOfMedians}`);
  const qemu: number[] = [];
  const cli: number[] = [];
  await noOp(home, client, { backend: 'qemu' });
  const card: number[] = [];
  for (let round = 0; round < Number(rounds); round++) {
    qemu.push(await timed(() => noOp(home, client, { backend: 'qemu' })));
    card.push(await timed(() => noOp(home, client, { ...KRUN, network: 'default' })));
    cli.push(
      await timed(() => {
        const env = { ...process.env, A3S_BOX_HOME: home.path, A3S_BOX_BACKEND: 'libkrun-kvm' };
        return runProgram(BIN, ['run', '--rm', '-m', '256m', '--network', KRUN.network, 'a3s/starter', 'true'], env);
      }),
    );
  }
  const { a, b, ...rest } = krun;
  const beside = { qemuKvm: summarize(qemu, 'ms'), networkCard: summarize(card, 'ms'), cli: summarize(cli, 'ms') };
  const result = { sdk: a, bareProgram: b, ...rest, ...beside };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  rmSync(directory, { recursive: true });
}

/** A supervisor of its own runs one box, and writes down what it says to the guest. */
async function recordSession(): Promise<void> {
  const options = process.env['NODE_OPTIONS'];
  process.env['NODE_OPTIONS'] = `--import ${join(import.meta.dirname, 'record-session.ts')}`;
  process.env['BENCH_TRANSCRIPT'] = transcript;
  await using recorded = await SdkHome.create(undefined, false);
  await noOp(recorded, await recorded.connect(), KRUN);
  if (options === undefined) delete process.env['NODE_OPTIONS'];
  else process.env['NODE_OPTIONS'] = options;
}

async function noOp(of: SdkHome, to: BoxClient, where: Pick<BoxSpec, 'backend' | 'network'>): Promise<void> {
  const { box, attachment } = await to.run(of.spec('', { command: ['true'], ...where, autoRemove: true }));
  for await (const { data } of attachment.output) throw new Error(`true wrote ${data.length} bytes`);
  const exit = await attachment.exited;
  attachment[Symbol.dispose]();
  if (!exit.known || exit.code !== 0) throw new Error(`box ${box.id} failed`);
}

/** The same kernel, initramfs, root and scratch disk as a box has. */
async function bareArguments(): Promise<string[]> {
  const sources = { libkrunfw: libkrunfwPath(), init: guestInitPath() };
  const store = new BootAssetStore(join(home.path, 'assets'), sources);
  const { kernel, initramfs } = await store.boot({ signal });
  await freshScratch();
  const images = join(home.path, 'plugins/@a3s-box+images-oci');
  // Its one layer is the whole disk.
  const [root = ''] = execFileSync('find', [join(images, 'layers'), '-type', 'f'], { encoding: 'utf8' }).split('\n');
  if (root === '') throw new Error(`no layer below ${images}`);
  return [libkrunPackagePath() ?? '', directory, kernel, initramfs, root, scratch, transcript];
}

/** As each box has one. */
async function freshScratch(): Promise<void> {
  rmSync(scratch, { force: true });
  await cloneScratch(scratch);
}
