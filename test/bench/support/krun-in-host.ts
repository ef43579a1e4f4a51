/**
 * Inside the KVM host: start to exit of a no-op through the SDK in a warm supervisor, on libkrun and on QEMU with KVM, against
 * the bare program. Writes one JSON value. `node krun-in-host.ts BARE_PROGRAM ROUNDS`
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoxClient } from '@a3s-box/core/client';
import { guestInitPath } from '@a3s-box/guest-init';
import { libkrunfwPath, libkrunPackagePath } from '@a3s-box/native';
import { BootAssetStore } from '../../../core/dist/vm/assets/boot-asset-store.js';
import { cloneScratch } from '../../../core/dist/vm/assets/scratch-disk.js';
import { SdkHome } from '../../e2e/support/sdk-home.ts';
import { BIN } from './paths.ts';
import { runProgram } from './process.ts';
import { compare, summarize, timed } from './samples.ts';

const [bare = '', rounds = '5'] = process.argv.slice(2);
const signal = new AbortController().signal;

await using home = await SdkHome.create(undefined, false);
const client = await home.connect();
const directory = mkdtempSync(join(tmpdir(), 'bk'));
try {
  await noOp(client, 'libkrun-kvm');
  const command = await bareArguments();
  const krun = await compare(
    Number(rounds),
    () => noOp(client, 'libkrun-kvm'),
    () => runProgram(bare, command),
  );
  console.error(`libkrun: SDK p50 ${krun.a.p50} ms, bare program p50 ${krun.b.p50} ms, ratio ${krun.ratioOfMedians}`);
  const qemu: number[] = [];
  const cli: number[] = [];
  await noOp(client, 'qemu');
  for (let round = 0; round < Number(rounds); round++) {
    qemu.push(await timed(() => noOp(client, 'qemu')));
    cli.push(
      await timed(() => {
        const env = { ...process.env, A3S_BOX_HOME: home.path, A3S_BOX_BACKEND: 'libkrun-kvm' };
        return runProgram(BIN, ['run', '--rm', '-m', '256m', 'a3s/starter', 'true'], env);
      }),
    );
  }
  const { a: sdk, b: bareProgram, ...rest } = krun;
  const result = { sdk, bareProgram, ...rest, qemuKvm: summarize(qemu, 'ms'), cli: summarize(cli, 'ms') };
  process.stdout.write(`${JSON.stringify(result)}\n`);
} finally {
  rmSync(directory, { recursive: true });
}

async function noOp(to: BoxClient, backend: string): Promise<void> {
  const { box, attachment } = await to.run(home.spec('', { command: ['true'], backend, autoRemove: true }));
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
  const scratch = join(directory, 'scratch.img');
  await cloneScratch(scratch);
  const images = join(home.path, 'plugins/@a3s-box+images-oci');
  // Its one layer is the whole disk.
  const [root = ''] = execFileSync('find', [join(images, 'layers'), '-type', 'f'], { encoding: 'utf8' }).split('\n');
  if (root === '') throw new Error(`no layer below ${images}`);
  return [libkrunPackagePath() ?? '', directory, kernel, initramfs, root, scratch];
}
