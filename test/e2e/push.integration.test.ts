import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BoxClient } from '@a3s-box/core/client';
import { archive } from '../../plugins/erofs/test/support/tar-builder.ts';
import { dockerRegistry, USER, type DockerRegistry } from '../../plugins/images-oci/test/support/docker-registry.ts';
import { writeLayout } from '../../plugins/images-oci/test/support/oci-layout.ts';
import { needPrograms } from '../../plugins/images-oci/test/support/programs.ts';
import { testAuthority } from '../../plugins/images-oci/test/support/test-authority.ts';
import { writableRegistry, type WritableRegistry } from '../../plugins/images-oci/test/support/writable-registry.ts';
import { BoxCli, type Outcome } from './support/box-cli.ts';
import { processGone } from './support/process-gone.ts';

interface Inspected {
  readonly id: string;
  readonly platform: string;
  readonly repoDigests: readonly string[];
}

const auth = Buffer.from(`${USER.name}:${USER.password}`).toString('base64');
const secrets = [USER.password, auth];
const rootfs = (bytes: number): Buffer => archive([{ name: 'a', data: randomBytes(bytes) }]);
const DIGEST = /sha256:[0-9a-f]{64}/;

describe('pushing images', function () {
  this.timeout(300_000);
  let cli: BoxCli;
  let directory: string;
  let open: DockerRegistry;
  let closed: DockerRegistry;
  let env: Record<string, string>;

  before(async function () {
    needPrograms(this, 'docker-registry', 'skopeo', 'openssl');
    directory = mkdtempSync(join(tmpdir(), 'push-'));
    env = { DOCKER_CONFIG: join(directory, 'docker'), A3S_BOX_DEBUG: '1' };
    const authority = testAuthority(directory);
    for (const name of ['open', 'closed']) mkdirSync(join(directory, name));
    open = await dockerRegistry(join(directory, 'open'));
    const tls = authority.issue('registry', ['IP:127.0.0.1']);
    closed = await dockerRegistry(join(directory, 'closed'), { tls, password: true });
    cli = await BoxCli.create();
    const certificates = join(cli.home, 'certs.d', closed.host);
    mkdirSync(certificates, { recursive: true });
    copyFileSync(authority.certificate, join(certificates, 'ca.crt'));
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    await open?.[Symbol.asyncDispose]();
    await closed?.[Symbol.asyncDispose]();
    if (directory) rmSync(directory, { recursive: true });
  });

  const run = (...args: string[]) => cli.run(args, { env });
  const done = async (...args: string[]): Promise<Outcome> => {
    const outcome = await run(...args);
    assert.equal(outcome.code, 0, `${args.join(' ')}: ${outcome.stderr}`);
    return outcome;
  };
  const inspect = async (image: string): Promise<Inspected> =>
    (JSON.parse((await done('image', 'inspect', image)).stdout.toString()) as [Inspected])[0];
  const skopeo = (...args: string[]) => execFileSync('skopeo', args, { encoding: 'utf8', stdio: 'pipe' });
  const imported = async (name: string, bytes = 10): Promise<void> => {
    assert.equal((await cli.run(['import', '-q', '-', name], { stdin: rootfs(bytes) })).code, 0);
  };
  const works = (): string => join(cli.home, 'plugins/@a3s-box+images-oci/work');

  it('brings an image to a registry without TLS on this machine, and says its digest there [push --plain-http, images --digests]', async () => {
    const name = `${open.host}/team/app:1.0`;
    await imported(name);
    const withTls = await run('push', name);
    assert.deepEqual([withTls.code, withTls.stdout.toString()], [125, ''], withTls.stderr);
    const { stdout, stderr } = await done('push', '--plain-http', name);
    const digest = DIGEST.exec(stdout.toString())?.[0] ?? '';
    assert.match(stdout.toString(), /^1\.0: digest: sha256:[0-9a-f]{64} size: \d+\n$/);
    assert.match(stderr, /^[0-9a-f]{12}: Compressing\n[0-9a-f]{12}: Uploading\n[0-9a-f]{12}: Done$/m);
    assert.deepEqual((await inspect(name)).repoDigests, [`${open.host}/team/app@${digest}`]);
    const listed = await done('images', '--format', '{{.Repository}}:{{.Tag}} {{.Digest}}');
    assert.match(listed.stdout.toString(), new RegExp(`^${name} ${digest}$`, 'm'));
    const table = (await done('images', '--digests')).stdout.toString();
    assert.match(table, /^REPOSITORY +TAG +DIGEST +IMAGE ID +CREATED +SIZE\n/);
    assert.match(table, new RegExp(`^${open.host}/team/app +1\\.0 +${digest} +[0-9a-f]{12} `, 'm'));
    assert.ok(!(await done('images')).stdout.toString().includes('sha256:'));
    const until = String(Date.now() / 1000);
    const events = ['events', '--since', '10m', '--until', until, '--filter', 'event=push'];
    const told = await done(...events, '--format', '{{.Type}} {{.Actor.Attributes.name}}');
    assert.equal(told.stdout.toString(), `image ${name}\n`);
    const found = JSON.parse(skopeo('inspect', '--tls-verify=false', `docker://${open.host}/team/app@${digest}`)) as {
      Digest: string;
    };
    assert.equal(found.Digest, digest);
    const { id } = await inspect(name);
    await done('rmi', name);
    await done('pull', '--plain-http', `${open.host}/team/app@${digest}`);
    assert.equal((await inspect(id)).id, id);
    const other = await run('push', '--plain-http', 'registry.example/app', id);
    assert.match(other.stderr, /not on this machine/);
  });

  it('prints nothing but the name [push --quiet]', async () => {
    const name = `${open.host}/quiet`;
    await imported(name);
    const { stdout, stderr } = await done('push', '-q', '--plain-http', name);
    assert.deepEqual([stdout.toString(), stderr], [`${name}:latest\n`, '']);
  });

  it('sends all tags of a repository [push --all-tags]', async () => {
    await imported(`${open.host}/tags:a`);
    await done('tag', `${open.host}/tags:a`, `${open.host}/tags:b`);
    const { stdout } = await done('image', 'push', '-a', '--plain-http', `${open.host}/tags`);
    assert.match(stdout.toString(), /^a: digest: .*\nb: digest: .*\n$/);
    const { Tags } = JSON.parse(skopeo('list-tags', '--tls-verify=false', `docker://${open.host}/tags`)) as {
      Tags: string[];
    };
    assert.deepEqual(Tags.toSorted(), ['a', 'b']);
    assert.match((await run('push', '-a', '--plain-http', `${open.host}/tags:a`)).stderr, /has a tag/);
  });

  it('sends an image only if it is for the platform [push --platform]', async () => {
    const name = `${open.host}/platform:1`;
    await imported(name);
    const { platform } = await inspect(name);
    const wrong = await run('push', '--plain-http', '--platform', 'linux/riscv64', name);
    assert.deepEqual([wrong.code, wrong.stderr.includes('riscv64')], [125, true], wrong.stderr);
    assert.throws(() => skopeo('inspect', '--tls-verify=false', `docker://${name}`));
    await done('push', '--plain-http', '--platform', platform, name);
    assert.ok(skopeo('inspect', '--tls-verify=false', `docker://${name}`));
  });

  it('makes an index of images for different platforms', async () => {
    const layout = join(directory, 'layout');
    const images = ['amd64', 'arm64'].map((architecture) => ({
      tag: `multi:${architecture}`,
      layers: [rootfs(10)],
      architecture,
    }));
    writeLayout(layout, images);
    await done('load', '-i', layout);
    const name = `${open.host}/multi:1`;
    const twice = await run('push', '--plain-http', name, 'multi:amd64', (await inspect('multi:amd64')).id);
    assert.match(twice.stderr, /two of the images/);
    await done('push', '--plain-http', name, 'multi:amd64', 'multi:arm64');
    for (const { tag, architecture } of images) {
      const { id } = await inspect(tag);
      await done('rmi', tag);
      await done('pull', '-q', '--plain-http', '--platform', `linux/${architecture}`, name);
      assert.equal((await inspect(name)).id, id);
    }
  });

  it('shows what was logged in with to the registry alone, and keeps it out of everything', async () => {
    const name = `${closed.host}/private/app:1`;
    await imported(name);
    const anonymous = await run('push', name);
    assert.deepEqual([anonymous.code, /a3s-box login 127/.test(anonymous.stderr)], [125, true], anonymous.stderr);
    const login = await cli.run(['login', '-u', USER.name, '--password-stdin', closed.host], {
      env,
      stdin: USER.password,
    });
    assert.equal(login.code, 0, login.stderr);
    const pushed = await done('push', name);
    for (const secret of secrets) assert.ok(!(pushed.stderr + pushed.stdout.toString()).includes(secret));
    for (const entry of readdirSync(cli.home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const content = readFileSync(join(entry.parentPath, entry.name));
      for (const secret of secrets) assert.ok(!content.includes(secret), `${entry.name} has a secret`);
    }
    const audit = readFileSync(join(cli.home, 'audit.log'), 'utf8');
    assert.match(
      audit,
      /"operation":"Images\.Push","subject":"[^"]+\/private\/app:1","details":\{"users":\["tester@127/,
    );
  });

  describe('that stands still', () => {
    let stalled: PromiseWithResolvers<void>;
    let registry: WritableRegistry;
    before(async () => {
      registry = await writableRegistry({
        intercept: ({ method }) => {
          if (method !== 'PATCH') return false;
          // It never answers.
          stalled.resolve();
          return true;
        },
      });
      await imported('big:1', 9_000_000);
      mkdirSync(join(directory, 'docker'), { recursive: true });
      // It wants none: whoever the credentials came from still has them while the push goes on.
      writeFileSync(join(directory, 'docker/config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    });
    after(() => registry?.[Symbol.asyncDispose]());

    /** Begins a push, and returns when it stands still. */
    const stalledPush = async () => {
      stalled = Promise.withResolvers();
      let command = 0;
      const ended = cli.run(['push', '--plain-http', `${registry.host}/big`, 'big:1'], {
        env,
        started: ({ pid = 0 }) => (command = pid),
      });
      await Promise.race([stalled.promise, ended.then(({ stderr }) => assert.fail(stderr))]);
      assert.equal(readdirSync(works()).length, 1);
      const client = await BoxClient.connect({ home: cli.home });
      const { pid: supervisor } = client.supervisor;
      client.close();
      return { command, supervisor, ended };
    };

    it('shows no credentials to who lists processes', async () => {
      const { command, supervisor, ended } = await stalledPush();
      for (const pid of [command, supervisor]) {
        const shown = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')).join('');
        for (const secret of secrets) assert.ok(shown.length > 0 && !shown.includes(secret));
      }
      process.kill(command, 'SIGINT');
      const { code, stderr } = await ended;
      assert.deepEqual([code === 0, secrets.some((secret) => stderr.includes(secret))], [false, false]);
      assert.ok(registry.calls.every(({ headers }) => headers.authorization === undefined));
    });

    it('leaves nothing when the command is killed', async () => {
      const { command, ended } = await stalledPush();
      const watcher = watch(works());
      const changes = { next: () => once(watcher, 'change') };
      process.kill(command, 'SIGKILL');
      assert.equal((await ended).signal, 'SIGKILL');
      while (readdirSync(works()).length > 0) await changes.next();
      watcher.close();
    });

    it('leaves nothing to the next supervisor when one is killed', async () => {
      const { supervisor, ended } = await stalledPush();
      process.kill(supervisor, 'SIGKILL');
      await processGone(supervisor);
      assert.equal((await ended).code, 125);
      await done('image', 'inspect', 'big:1');
      assert.deepEqual(readdirSync(works()), []);
    });
  });
});
