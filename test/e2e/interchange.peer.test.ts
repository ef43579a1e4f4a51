import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dockerRegistry, type DockerRegistry } from '../../plugins/images-oci/test/support/docker-registry.ts';
import { needPrograms } from '../../plugins/images-oci/test/support/programs.ts';
import { goProgram } from '../support/go-program.ts';
import { BoxCli } from './support/box-cli.ts';

const MINUTE = 60_000;
const STARTER = 'docker.io/a3s/starter:latest';

interface Inspected {
  readonly id: string;
  readonly diffIds: readonly string[];
  readonly config: object;
}

describe('images from and to other programs', function () {
  this.timeout(5 * MINUTE);
  let cli: BoxCli;
  let registry: DockerRegistry;
  let directory: string;
  let starter: Inspected;
  let copies = 0;

  before(async function () {
    needPrograms(this, 'docker-registry', 'skopeo', 'umoci', 'podman', 'buildah');
    directory = mkdtempSync(join(tmpdir(), 'interchange-'));
    registry = await dockerRegistry(directory);
    cli = await BoxCli.create();
    starter = await inspect('a3s/starter');
    await done('save', '-o', file('saved.tar'), 'a3s/starter');
    run('skopeo', 'copy', `oci-archive:${file('saved.tar')}:latest`, `oci:${file('layout')}:latest`);
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    if (directory) rmSync(directory, { recursive: true });
  });

  const file = (name: string): string => join(directory, name);

  /** Podman and buildah keep what they have in the test's directory. */
  function run(program: string, ...args: string[]): string {
    const storage = ['--root', file('storage'), '--runroot', file('storage-run'), '--storage-driver', 'vfs'];
    const all = program === 'podman' || program === 'buildah' ? [...storage, ...args] : args;
    return execFileSync(program, all, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
  async function done(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await cli.run(args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return stdout.toString();
  }
  const inspect = async (image: string): Promise<Inspected> =>
    (JSON.parse(await done('image', 'inspect', image)) as Inspected[])[0] as Inspected;

  /** Takes an image over under a name of its own, and has it run. @returns what the store says of it */
  async function taken(load: (name: string) => Promise<unknown>): Promise<Inspected> {
    const name = `copy${copies++}:1`;
    await load(name);
    const found = await inspect(name);
    assert.equal(await done('run', '--rm', name, 'sh', '-c', 'echo from $(id -un)'), 'from root\n');
    await done('rmi', name);
    return found;
  }
  const loaded = (path: string, id: string) => async (name: string) => {
    await done('load', '-q', '-i', path);
    await done('tag', id, name);
  };
  const pulled = (repository: string) => async (name: string) => {
    const reference = `${registry.host}/${repository}`;
    await done('pull', '-q', '--plain-http', reference);
    await done('tag', reference, name);
    await done('rmi', reference);
  };
  /** The same layers and settings: some programs write the config anew. */
  function assertSame(image: Inspected): void {
    assert.deepEqual(image.diffIds, starter.diffIds);
    assert.deepEqual(image.config, starter.config);
  }

  describe('skopeo', () => {
    for (const form of ['oci', 'oci-archive', 'docker-archive', 'dir']) {
      it(`copies to ${form} what is saved here, and it comes back the same`, async () => {
        const place = file(form === 'dir' || form === 'oci' ? form : `${form}.tar`);
        const target =
          form === 'dir' ? `dir:${place}` : `${form}:${place}:${form === 'docker-archive' ? STARTER : 'x'}`;
        run('skopeo', 'copy', '-q', `docker-archive:${file('saved.tar')}:${STARTER}`, target);
        if (form === 'dir') {
          run('skopeo', 'copy', '-q', '--dest-tls-verify=false', target, `docker://${registry.host}/dir:x`);
          assertSame(await taken(pulled('dir:x')));
        } else assertSame(await taken(loaded(place, starter.id)));
      });
    }

    it('copies from a registry what was pushed there from here, by the same digest', async () => {
      const name = `${registry.host}/pushed:x`;
      await done('tag', 'a3s/starter', name);
      const digest =
        (await done('push', '-q', '--plain-http', name),
        await done('images', '--digests', '--format', '{{.Digest}}', name));
      const seen = run('skopeo', 'inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${name}`);
      assert.equal(seen, digest);
      await done('rmi', name);
      assert.equal((await taken(pulled('pushed:x'))).id, starter.id);
    });
  });

  it('podman loads what is saved here, and what it saves is taken in', async () => {
    run('podman', 'load', '-q', '-i', file('saved.tar'));
    assert.equal(run('podman', 'image', 'inspect', '--format', '{{.Id}}', STARTER).trim(), starter.id.slice(7));
    for (const format of ['docker-archive', 'oci-archive']) {
      const archive = file(`podman-${format}.tar`);
      run('podman', 'save', '-q', '--format', format, '-o', archive, STARTER);
      assertSame(await taken(loaded(archive, starter.id)));
    }
  });

  it('buildah builds on what is saved here, and what it commits runs', async () => {
    const container = run('buildah', 'from', `oci-archive:${file('saved.tar')}`).trim();
    writeFileSync(file('added'), 'by buildah\n');
    run('buildah', 'copy', container, file('added'), '/added');
    run('buildah', 'config', '--env', 'FROM=buildah', container);
    run('buildah', 'commit', '-q', container, `oci:${file('buildah')}:x`);
    run(
      'skopeo',
      'copy',
      '-q',
      `oci:${file('buildah')}:x`,
      `oci-archive:${file('buildah.tar')}:docker.io/library/buildah:x`,
    );
    await done('load', '-q', '-i', file('buildah.tar'));
    const image = await inspect('buildah:x');
    assert.deepEqual(image.diffIds.slice(0, -1), starter.diffIds);
    assert.equal(await done('run', '--rm', 'buildah:x', 'sh', '-c', 'cat /added; echo $FROM'), 'by buildah\nbuildah\n');
    await done('save', '-o', file('again.tar'), 'buildah:x');
    run('podman', 'load', '-q', '-i', file('again.tar'));
    assert.equal(
      run('podman', 'image', 'inspect', '--format', '{{.Id}}', 'docker.io/library/buildah:x').trim(),
      image.id.slice(7),
    );
  });

  it('umoci unpacks what is saved here, and repacks it', async () => {
    const bundle = file('bundle');
    run('umoci', 'unpack', '--image', `${file('layout')}:latest`, bundle);
    mkdirSync(join(bundle, 'rootfs/by'), { recursive: true });
    writeFileSync(join(bundle, 'rootfs/by/umoci'), 'repacked\n');
    run('umoci', 'repack', '--image', `${file('layout')}:repacked`, bundle);
    run(
      'skopeo',
      'copy',
      '-q',
      `oci:${file('layout')}:repacked`,
      `oci-archive:${file('repacked.tar')}:docker.io/library/umoci:x`,
    );
    await done('load', '-q', '-i', file('repacked.tar'));
    assert.equal(await done('run', '--rm', 'umoci:x', 'cat', '/by/umoci'), 'repacked\n');
  });

  it('crane pulls what was pushed there from here, and what it pushes is pulled', async function () {
    this.timeout(20 * MINUTE);
    const crane = await goProgram('github.com/google/go-containerregistry/cmd/crane', 'v0.22.1');
    const name = `${registry.host}/crane:x`;
    await done('tag', 'a3s/starter', name);
    await done('push', '-q', '--plain-http', name);
    await done('rmi', name);
    run(crane, 'validate', '--insecure', '--remote', name);
    run(crane, 'pull', '--insecure', name, file('crane.tar'));
    assertSame(await taken(loaded(file('crane.tar'), starter.id)));
    run(crane, 'push', '--insecure', file('crane.tar'), `${registry.host}/back:x`);
    assertSame(await taken(pulled('back:x')));
  });
});
