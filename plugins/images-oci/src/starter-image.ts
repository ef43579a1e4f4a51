import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Image, ImageStore, Operation } from '@a3s-box/core';
import { EMPTY_CONFIG } from './image-config.js';
import { TarWriter } from './tar-writer.js';

const run = promisify(execFile);

export const STARTER_IMAGE = 'a3s/starter:latest';

/** All times in the image, so that the same busybox gives the same image. */
const EPOCH = '1970-01-01T00:00:00Z';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n';
const GROUP = 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n';

/**
 * Makes the starter image, a busybox user land, and names it {@link STARTER_IMAGE}.
 * @param busybox path of a static busybox of the host's architecture, which is run once to list its applets
 */
export async function makeStarterImage(store: ImageStore, busybox: string, { signal }: Operation): Promise<Image> {
  const [binary, { stdout }] = await Promise.all([
    readFile(busybox, { signal }),
    run(busybox, ['--list-full'], { signal }),
  ]);
  const applets = stdout.split('\n').filter((path) => path !== '' && path !== 'bin/busybox');
  return store.commit(
    {
      layer: starterLayer(binary, applets),
      config: {
        ...EMPTY_CONFIG,
        cmd: ['sh'],
        env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      },
      createdBy: 'a3s-box: busybox user land',
      created: EPOCH,
      name: STARTER_IMAGE,
    },
    { signal },
  );
}

async function* starterLayer(binary: Buffer, applets: readonly string[]): AsyncGenerator<Buffer> {
  const tar = new TarWriter();
  const directory = (name: string, mode = 0o755): Buffer => tar.header({ type: 'directory', name, mode });
  yield directory('./');
  for (const name of ['bin', 'dev', 'etc', 'home', 'proc', 'run', 'sbin', 'sys', 'usr', 'usr/bin', 'usr/sbin', 'var']) {
    yield directory(`${name}/`);
  }
  yield directory('root/', 0o700);
  yield directory('tmp/', 0o1777);
  yield directory('var/tmp/', 0o1777);
  yield* tar.file({ name: 'bin/busybox', mode: 0o755 }, binary);
  for (const path of [...applets].sort())
    yield tar.header({ type: 'symlink', name: path, mode: 0o777, target: '/bin/busybox' });
  yield* tar.file({ name: 'etc/passwd', mode: 0o644 }, Buffer.from(PASSWD));
  yield* tar.file({ name: 'etc/group', mode: 0o644 }, Buffer.from(GROUP));
  yield tar.end();
}
