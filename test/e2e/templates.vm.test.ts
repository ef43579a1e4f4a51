import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BoxClient } from '@a3s-box/core/client';
import { decodeManifest, encodeManifest } from '../../core/dist/vm/templates/template-manifest.js';
import { SdkHome } from './support/sdk-home.ts';

const SHAPE = { memoryBytes: 256 * 2 ** 20 };

describe('templates', () => {
  let home: SdkHome;
  let client: BoxClient;
  let key: string;
  before(async () => {
    home = await SdkHome.create(undefined, false);
    client = await home.connect();
  });
  after(() => home[Symbol.asyncDispose]());

  const file = (name: string) => join(home.path, 'templates', key, name);
  const log = () => readFileSync(join(home.path, 'supervisor.log'), 'utf8');
  const timesMade = () => log().split('made a template').length - 1;

  /** Runs a box to its end. @returns whether it was a clone */
  async function runBox(): Promise<boolean> {
    const { id } = await client.runDetached(home.spec('read line; exit 7', { stdinOpen: true }));
    const { cloned } = await client.inspect(id);
    await client.stop(id, { graceMs: 0 });
    await client.remove(id);
    return cloned;
  }

  async function restart(): Promise<void> {
    await home.stopSupervisor(client);
    client = await home.connect();
  }

  /** Puts another file in the place of one of the template's, which tests may share. */
  async function replace(name: string, change: (data: Buffer) => Buffer): Promise<void> {
    const fresh = `${file(name)}.changed`;
    await writeFile(fresh, change(await readFile(file(name))), { mode: 0o600 });
    await rename(fresh, file(name));
  }

  it('are made once, after the first box of a shape or when asked for; later boxes are clones', async () => {
    assert.equal(await runBox(), false);
    const keys = await Promise.all([client.templates.create(SHAPE), client.templates.create(SHAPE)]);
    key = keys[0]!;
    assert.equal(keys[1], key);
    assert.equal(timesMade(), 1);
    assert.equal(await runBox(), true);
    const [template] = await client.templates.list();
    assert.equal(template?.key, key);
    assert.equal(template.shape?.memoryBytes, SHAPE.memoryBytes);
  });

  it('are used by the next supervisor too', async () => {
    await restart();
    assert.equal(await runBox(), true);
    assert.equal(timesMade(), 1);
  });

  describe('that are not as they were written', () => {
    let whole: string;
    before(async () => {
      whole = join(home.path, 'whole');
      await cp(join(home.path, 'templates', key), whole, { recursive: true });
    });
    after(() => rm(whole, { recursive: true }));
    beforeEach(async () => {
      await home.stopSupervisor(client);
      await rm(join(home.path, 'templates'), { recursive: true, force: true });
      await cp(whole, join(home.path, 'templates', key), { recursive: true });
    });

    const rewritten = (change: (manifest: ReturnType<typeof decodeManifest> & object) => object) => () =>
      replace('manifest', (data) => {
        const manifest = decodeManifest(String(data), key);
        assert.ok(manifest);
        return Buffer.from(encodeManifest(change(manifest) as typeof manifest));
      });
    const flipped = (data: Buffer) => {
      data[data.length >> 1]! ^= 1;
      return data;
    };
    // What a look at the files finds is in core/test/vm/templates.
    const cases: Readonly<Record<string, () => Promise<void>>> = {
      'a bit of the memory': () => replace('memory', flipped),
      'another QEMU': rewritten(({ record, ...rest }) => ({ ...rest, record: { ...record, fingerprint: 'other' } })),
      'a state that QEMU refuses': async () => {
        let digest = '';
        await replace('state', (data) => {
          data.fill(0, data.length >> 1);
          return data;
        });
        const bytes = await readFile(file('state'));
        digest = Buffer.from(await crypto.subtle.digest('SHA-256', bytes)).toString('base64');
        await rewritten((manifest) => ({ ...manifest, stateDigest: digest }))();
      },
      'a guest that does not answer': rewritten((manifest) => ({
        ...manifest,
        extents: manifest.extents.map(([offset, length]) => [offset ^ 0x100000, length]),
      })),
    };
    for (const [what, damage] of Object.entries(cases)) {
      it(`${what}: the box boots, and the template goes`, async () => {
        await damage();
        client = await home.connect();
        const before = log().length;
        assert.equal(await runBox(), false);
        assert.match(log().slice(before), /a template cannot be used and is removed/);
        assert.equal(existsSync(join(home.path, 'templates', key, 'manifest')), false);
        await home.assertEmpty();
      });
    }

    it('are made anew', async () => {
      await replace('memory', flipped);
      client = await home.connect();
      assert.equal(await runBox(), false);
      const made = timesMade();
      assert.equal(await client.templates.create(SHAPE), key);
      assert.ok(timesMade() <= made + 1);
      assert.equal(await runBox(), true);
    });
  });

  describe('that come and go', () => {
    it('leave nothing when the supervisor is killed while one is made', async () => {
      await client.templates.remove(key);
      const making = client.templates.create(SHAPE).catch((error: unknown) => error);
      while (templateVmms().length === 0) await new Promise((resolve) => setImmediate(resolve));
      await home.killSupervisor(client);
      await making;
      client = await home.connect();
      assert.deepEqual(templateVmms(), []);
      assert.deepEqual(readdirSync(join(home.path, 'templates')), []);
      assert.deepEqual(
        readdirSync(join(home.path, 'run')).filter((name) => !name.startsWith('supervisor.')),
        [],
      );
      await home.assertEmpty();
    });

    it('that are being made go with a supervisor that ends', async () => {
      const making = client.templates.create(SHAPE).catch((error: unknown) => error);
      while (templateVmms().length === 0) await new Promise((resolve) => setImmediate(resolve));
      await home.stopSupervisor(client);
      await making;
      assert.deepEqual(templateVmms(), []);
      assert.deepEqual(readdirSync(join(home.path, 'templates')), []);
      client = await home.connect();
    });

    it('are listed, pruned and removed', async () => {
      const first = await client.templates.create(SHAPE);
      const second = await client.templates.create({ ...SHAPE, network: 'none' });
      assert.deepEqual((await client.templates.list()).map((template) => template.key).sort(), [first, second].sort());
      const [used] = await client.templates.list();
      const removed = await client.templates.prune(used!.sizeBytes);
      assert.equal(removed.length, 1);
      assert.equal(await client.templates.remove(used!.key.slice(0, 8)), used!.key);
      assert.deepEqual(await client.templates.list(), []);
      await assert.rejects(client.templates.remove(used!.key), { code: 'NOT_FOUND' });
    });
  });

  /** Process ids of the VMMs that templates of this home are made with. */
  function templateVmms(): string[] {
    return readdirSync('/proc').filter((pid) => {
      if (!/^\d+$/.test(pid)) return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('-name\0template-');
      } catch {
        return false;
      }
    });
  }
});
