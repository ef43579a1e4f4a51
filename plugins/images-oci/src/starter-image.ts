import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Image, ImageStore, Operation, Platform } from '@a3s-box/core';
import { EMPTY_CONFIG } from './image-config.js';
import { TarWriter } from './tar-writer.js';

const run = promisify(execFile);

export const STARTER_IMAGE = 'a3s/starter:latest';

/** All times in the image, so that the same busybox gives the same image. */
const EPOCH = '1970-01-01T00:00:00Z';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n';
const GROUP = 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n';

/** Name of the starter image for arm64, where that is not the host's architecture: a name here has one platform. */
export const ARM64_STARTER_IMAGE = 'a3s/starter:arm64';

export interface StarterOptions extends Operation {
  /** For a busybox of another architecture than the host's. */
  readonly foreign?: {
    readonly platform: Platform;
    /** Name of the image. */
    readonly name: string;
    /** Path of a busybox of the host's with the same applets. */
    readonly twin: string;
  };
}

/**
 * Makes the starter image, a busybox user land, and names it {@link STARTER_IMAGE}.
 * @param busybox path of a static busybox; it, or its twin for this host, is run once to list its applets
 */
export async function makeStarterImage(
  store: ImageStore,
  busybox: string,
  { signal, foreign }: StarterOptions,
): Promise<Image> {
  const [binary, { stdout }] = await Promise.all([
    readFile(busybox, { signal }),
    run(foreign?.twin ?? busybox, ['--list-full'], { signal }),
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
      name: foreign?.name ?? STARTER_IMAGE,
      ...(foreign && { platform: foreign.platform }),
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
