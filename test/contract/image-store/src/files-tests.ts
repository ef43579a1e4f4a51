import assert from 'node:assert/strict';
import { it } from 'mocha';
import type { ImageChange, ImageFile, ImageFiles, ImageStore } from '@a3s-box/core';
import { layerArchive } from './fixtures.js';

const operation = { signal: new AbortController().signal };

const LOWER = layerArchive([
  { name: 'etc/passwd', content: 'root:x:0:0\n' },
  { name: 'etc/gone', content: 'x' },
]);
const UPPER = layerArchive([{ name: 'etc/.wh.gone' }, { name: 'etc/motd', content: 'hello\n' }]);

async function content(files: ImageFiles, entry: ImageFile): Promise<string> {
  return Buffer.concat(await Array.fromAsync(files.read(entry))).toString();
}

/** An entry and all that is in it. */
function below(files: ImageFiles, entry: ImageFile): ImageFile[] {
  return [entry, ...files.list(entry).flatMap((it) => below(files, it))];
}

/** Checks what an image's files are, read on the host. @param change an image without a name, of a layer on a base */
export function filesTests(storeOf: () => ImageStore, change: (layer: Uint8Array, base?: string) => ImageChange): void {
  it('shows the files of all layers, and reads them', async () => {
    const store = storeOf();
    const lower = await store.commit(change(LOWER), operation);
    const { id } = await store.commit(change(UPPER, lower.id), operation);
    await using files = await store.files(id, operation);
    const root = files.find('/');
    assert.ok(root);
    assert.deepEqual(
      below(files, root).map(({ path, type }) => [path, type]),
      [
        ['', 'directory'],
        ['etc', 'directory'],
        ['etc/motd', 'file'],
        ['etc/passwd', 'file'],
      ],
    );
    const passwd = files.find('etc/../../etc/passwd');
    assert.ok(passwd);
    assert.deepEqual([passwd.path, passwd.mode, passwd.uid, passwd.size], ['etc/passwd', 0o644, 0, 11]);
    assert.equal(await content(files, passwd), 'root:x:0:0\n');
    assert.equal(files.find('etc/gone'), undefined);
  });

  it('can be read when the image is gone', async () => {
    const store = storeOf();
    const { id } = await store.commit(change(LOWER), operation);
    await using files = await store.files(id, operation);
    await store.remove(id, { ...operation, force: true });
    const passwd = files.find('etc/passwd');
    assert.ok(passwd);
    assert.equal(await content(files, passwd), 'root:x:0:0\n');
  });

  it('refuses an unknown image', () =>
    assert.rejects(storeOf().files(`sha256:${'0'.repeat(64)}`, operation), { code: 'IMAGE_NOT_FOUND' }));
}
