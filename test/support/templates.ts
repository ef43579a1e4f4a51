/**
 * Templates for the homes of tests, so that their boxes are clones. They are made once for each build of what they
 * depend on, kept beside the other caches of the checkout, and linked into each new home: the product itself decides by
 * their keys whether they fit. A test that damages one does it by putting another file in its place.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, link, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBoxError } from '@a3s-box/core';
import { BoxClient, type TemplateShape } from '@a3s-box/core/client';
import { guestInitPath } from '@a3s-box/guest-init';

const root = join(import.meta.dirname, '../..');
const CACHE = join(root, '.cache/test-templates');
/** What tests start boxes with. Boxes of other shapes boot. */
const SHAPES: readonly TemplateShape[] = [
  {},
  { memoryBytes: 256 * 2 ** 20 },
  // Of the machines in which the files of boxes are reached that do not run.
  { memoryBytes: 256 * 2 ** 20, network: 'none' },
];
const BUILT = ['backends/qemu/dist', 'backends/vmm/dist', 'core/dist/vm', 'core/dist/guest', 'native/build/Release'];

let ready: Promise<void> | undefined;

/** Puts templates into a home that has none. */
export async function seedTemplates(home: string): Promise<void> {
  await (ready ??= prepare());
  await linkAll(CACHE, join(home, 'templates'));
}

/** None where the backend makes none. */
async function make(client: BoxClient, shape: TemplateShape): Promise<string[]> {
  const backend = process.env['A3S_BOX_BACKEND'];
  try {
    return [await client.templates.create({ ...shape, ...(backend !== undefined && { backend }) })];
  } catch (error) {
    if (isBoxError(error) && error.code === 'UNSUPPORTED') return [];
    throw error;
  }
}

async function prepare(): Promise<void> {
  const mark = join(CACHE, `made-for-${digestOfBuild()}`);
  if (existsSync(mark)) return;
  const home = await mkdtemp(join(tmpdir(), 'h'));
  try {
    const supervisor = join(root, 'cli/dist/supervisor.js');
    const command = [process.execPath, supervisor, '--home', home, '--ready-descriptor', '3'];
    const client = await BoxClient.connect({ home, supervisor: { command } });
    try {
      const keys: string[] = [];
      for (const shape of SHAPES) keys.push(...(await make(client, shape)));
      await rm(CACHE, { recursive: true, force: true });
      await mkdir(CACHE, { recursive: true });
      for (const key of keys) await keep(join(home, 'templates', key), join(CACHE, key));
    } finally {
      await client.stopSupervisor();
      client.close();
    }
    await writeFile(mark, '');
  } finally {
    await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

/** Another run may keep the same one at the same time. */
async function keep(from: string, to: string): Promise<void> {
  const fresh = `${to}.${randomUUID()}`;
  await cp(from, fresh, { recursive: true });
  await rename(fresh, to).catch(() => rm(fresh, { recursive: true }));
}

async function linkAll(from: string, to: string): Promise<void> {
  for (const key of (await readdir(from)).filter((name) => /^[0-9a-f]{32}$/.test(name))) {
    await mkdir(join(to, key), { recursive: true, mode: 0o700 });
    for (const name of await readdir(join(from, key))) await linkOrCopy(join(from, key, name), join(to, key, name));
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => cp(from, to));
}

/** Changes when something was built anew that may change keys. Too often costs seconds; too seldom makes boxes boot. */
function digestOfBuild(): string {
  const hash = createHash('sha256').update(guestInitPath() ?? '');
  for (const directory of BUILT) {
    for (const name of readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' }).sort()) {
      const { size, mtimeMs } = statSync(join(root, directory, name));
      if (/\.(js|node)$/.test(name)) hash.update(`${name} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex').slice(0, 32);
}
