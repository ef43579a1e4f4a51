/**
 * In the emulated KVM host, where a home's first box costs a minute: the files that a process runs share one home and its
 * supervisor, and homes share what does not depend on the home, boot assets and the probes' answers. The host brings the
 * starter image along.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { BoxClient } from '@a3s-box/core/client';
import { atEnd } from './at-end.ts';
import { tempHome, type TempHome } from './temp-home.ts';

/** test/kvm-host/kvm-host.ts puts it there. */
const SEED = '/scratch/seed';
const IMAGES = 'plugins/@a3s-box+images-oci';
const BACKENDS = ['plugins/@a3s-box+libkrun-kvm', 'plugins/@a3s-box+qemu'];
const ANSWERS = 'probe-cache.json';
const SUPERVISOR = join(import.meta.dirname, '../../cli/dist/supervisor.js');
const MIB = 2 ** 20;

let shared: Promise<TempHome> | undefined;

export function isInKvmHost(): boolean {
  return process.env['A3S_BOX_KVM_HOST'] !== undefined;
}

/** The backend that the tests are to run on; undefined for the product's choice. */
export function backendOfTests(): string | undefined {
  return process.env['A3S_BOX_BACKEND'] || undefined;
}

/**
 * The home of all files that this process runs, filled. To dispose of it ends its boxes; the home and its supervisor go
 * when the process has run its last test.
 * @param stop ends boxes and supervisor of a home
 */
export async function sharedHome(stop: (home: string) => Promise<void>): Promise<TempHome> {
  shared ??= makeShared(stop);
  const home = await shared;
  return { ...home, [Symbol.asyncDispose]: () => clearHome(home.path) };
}

async function makeShared(stop: (home: string) => Promise<void>): Promise<TempHome> {
  const home = await tempHome();
  atEnd(async () => {
    await stop(home.path);
    await home[Symbol.asyncDispose]();
  });
  await fillFromSeed(home.path);
  return home;
}

/** What a file's tests left of boxes is no matter of the next one's. */
async function clearHome(home: string): Promise<void> {
  const client = await BoxClient.connect({ home, supervisor: { command: supervisorOf(home) } });
  try {
    for (const { id } of await client.list({ all: true })) await client.remove(id, { force: true });
  } finally {
    client.close();
  }
}

/**
 * Fills an empty home, and runs a first box in it, which has to be on the backend of the tests (A3S_BOX_BACKEND), with
 * hardware virtualisation: nothing falls back to emulation unseen. The supervisor is left running.
 */
export async function fillFromSeed(home: string): Promise<void> {
  await mkdir(join(home, 'plugins'), { mode: 0o700 });
  await cp(join(SEED, IMAGES), join(home, IMAGES), { recursive: true, preserveTimestamps: true });
  await shareAssets('', home);
  for (const backend of BACKENDS) {
    await shareAssets(backend, home);
    await take(join(SEED, backend, ANSWERS), join(home, backend, ANSWERS));
  }
  await runBox(home, backendOfTests() ?? 'libkrun-kvm');
  for (const backend of BACKENDS) await take(join(home, backend, ANSWERS), join(SEED, backend, ANSWERS));
}

/** The directory itself: copies of what is in it would be looked through by the home that has them. */
async function shareAssets(below: string, home: string): Promise<void> {
  const shared = join(SEED, below, 'assets');
  await mkdir(shared, { recursive: true, mode: 0o700 });
  await mkdir(join(home, below), { recursive: true, mode: 0o700 });
  await symlink(shared, join(home, below, 'assets'));
}

async function take(from: string, to: string): Promise<void> {
  if (existsSync(from)) await cp(from, to);
}

async function runBox(home: string, backend: string): Promise<void> {
  const client = await BoxClient.connect({ home, supervisor: { command: supervisorOf(home) } });
  try {
    const { id } = await client.runDetached({
      ...{ image: 'a3s/starter', command: ['sleep', '600'], environment: [], terminal: false, stdinOpen: false },
      ...{ autoRemove: false, labels: {}, memoryBytes: 256 * MIB, backend },
    });
    const { backend: used, acceleration } = await client.inspect(id);
    await client.remove(id, { force: true });
    assert.deepEqual([used, acceleration], [backend, 'hardware'], 'backend and acceleration of a box');
  } finally {
    client.close();
  }
}

function supervisorOf(home: string): string[] {
  return [process.execPath, '--max-semi-space-size=2', SUPERVISOR, '--home', home, '--ready-descriptor', '3'];
}
