import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archive } from '../../plugins/erofs/test/support/tar-builder.ts';
import { generateKeyPair } from '../../plugins/image-trust/dist/index.js';
import { keyPair } from '../../plugins/image-trust/test/support/certificates.ts';
import { FakeSigstore, makeBundle } from '../../plugins/image-trust/test/support/fake-sigstore.ts';
import { sigstoreServer } from '../../plugins/image-trust/test/support/sigstore-server.ts';
import { writeTufRepository } from '../../plugins/image-trust/test/support/tuf-repository.ts';
import { dockerRegistry, type DockerRegistry } from '../../plugins/images-oci/test/support/docker-registry.ts';
import { writeLayout } from '../../plugins/images-oci/test/support/oci-layout.ts';
import { needPrograms } from '../../plugins/images-oci/test/support/programs.ts';
import { descriptorAt, putBundle } from '../../plugins/images-oci/test/support/put-artifact.ts';
import { BoxCli, type Outcome } from './support/box-cli.ts';

const PASSWORD = 'test-password-3';

describe('signatures of images in a registry', function () {
  this.timeout(300_000);
  const sigstore = new FakeSigstore();
  let cli: BoxCli;
  let registry: DockerRegistry;
  let directory: string;
  let repositories = 0;

  before(async function () {
    needPrograms(this, 'docker-registry', 'skopeo');
    directory = mkdtempSync(join(tmpdir(), 'signatures-'));
    registry = await dockerRegistry(directory);
    writeLayout(join(directory, 'layout'), [{ tag: 'x', layers: [archive([{ name: 'a', data: Buffer.from('a') }])] }]);
    for (const name of ['mine', 'other']) {
      const { privateKey, publicKey } = generateKeyPair(Buffer.from(PASSWORD));
      writeFileSync(file(`${name}.key`), privateKey);
      writeFileSync(file(`${name}.pub`), publicKey);
    }
    writeFileSync(file('root.json'), JSON.stringify(sigstore.trustedRoot()));
    cli = await BoxCli.create();
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    if (directory) rmSync(directory, { recursive: true });
  });

  const file = (name: string): string => join(directory, name);
  const env = { COSIGN_PASSWORD: PASSWORD };

  /** An image in a repository of its own. */
  function image(): string {
    const name = `app${repositories++}`;
    registry.push(file('layout'), 'x', `${name}:x`);
    return `${registry.host}/${name}:x`;
  }
  const base = (name: string): string => name.replace(/^([^/]+)\/([^:]+):x$/, 'http://$1/v2/$2');
  const sign = (name: string, ...more: string[]) =>
    cli.run(['image', 'sign', '--plain-http', '--key', file('mine.key'), ...more, name], { env });
  const verify = (name: string, ...more: string[]) => cli.run(['image', 'verify', '--plain-http', ...more, name]);
  const pull = (name: string) => cli.run(['pull', '--plain-http', name]);

  function assertDone({ code, stderr, stdout }: Outcome): string {
    assert.equal(code, 0, stderr);
    return stdout.toString();
  }
  function assertFails({ code, stderr }: Outcome, message: RegExp): void {
    assert.equal(code, 125, stderr);
    assert.match(stderr, message);
  }

  it('are made with a key and are good for that key alone [image sign --key, image verify --key, image verify --plain-http]', async () => {
    const name = image();
    assertFails(await verify(name, '--key', file('mine.pub')), /has no signature/);
    const signed = assertDone(await sign(name));
    const { digest } = await descriptorAt(base(name), 'x');
    assert.match(signed, new RegExp(`^Signed: ${digest}\nSignature: sha256:[0-9a-f]{64}\n$`));
    const verified = assertDone(await verify(name, '--key', file('other.pub'), '--key', file('mine.pub')));
    assert.match(verified, new RegExp(`^Verified: ${digest}\nSigned by: key SHA256:.{43}=, bundle sha256:`));
    assertFails(await verify(name, '--key', file('other.pub')), /key/);
    assertFails(await cli.run(['image', 'verify', '--key', file('mine.pub'), name]), /does not speak TLS/);
  });

  it('are for people and for programs [image verify --json]', async () => {
    const name = image();
    assertDone(await sign(name));
    const { digest, signatures } = JSON.parse(assertDone(await verify(name, '--json', '--key', file('mine.pub'))));
    assert.equal(digest, (await descriptorAt(base(name), 'x')).digest);
    assert.deepEqual([signatures.length, signatures[0].format, signatures[0].signer.kind], [1, 'bundle', 'key']);
  });

  it('may be under a tag, as older tools look for them [image sign --format, image sign --plain-http]', async () => {
    const name = image();
    assertFails(await sign(name, '--format', 'other'), /give bundle or tag/);
    assertDone(await sign(name, '--format', 'tag'));
    const { digest } = await descriptorAt(base(name), 'x');
    const response = await fetch(`${base(name)}/manifests/${digest.replace(':', '-')}.sig`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    assert.equal(response.status, 200);
    assert.match(assertDone(await verify(name, '--key', file('mine.pub'))), /, tag sha256:/);
    assertFails(await cli.run(['image', 'sign', '--key', file('mine.key'), name], { env }), /does not speak TLS/);
  });

  it('need the password of an encrypted key [image sign --password-stdin]', async () => {
    const name = image();
    const withPassword = (stdin: string) =>
      cli.run(['image', 'sign', '--plain-http', '--password-stdin', '--key', file('mine.key'), name], { stdin });
    assertFails(await withPassword('wrong\n'), /password/);
    assertDone(await withPassword(`${PASSWORD}\n`));
    assertDone(await verify(name, '--key', file('mine.pub')));
    assertFails(await cli.run(['image', 'sign', '--key', file('mine.key'), name]), /--password-stdin/);
  });

  it('may be of statements [image sign --type, image sign --predicate, image verify --type]', async () => {
    const name = image();
    writeFileSync(file('sbom.json'), '{"packages":["a"]}');
    assertFails(await sign(name, '--type', 'spdxjson'), /needs both --type and --predicate/);
    assertDone(await sign(name, '--type', 'spdxjson', '--predicate', file('sbom.json')));
    const printed = assertDone(await verify(name, '--type', 'spdxjson', '--key', file('mine.pub')));
    assert.match(printed, /\n\{"packages":\["a"\]\}\n$/);
    assertFails(await verify(name, '--type', 'vuln', '--key', file('mine.pub')), /no attestation of the type/);
    assertFails(await verify(name, '--key', file('mine.pub')), /has no signature/);
    assertFails(await verify(name, '--type', 'spdxjson', '--key', file('other.pub')), /key/);
  });

  it('are good for who has no key by name, issuer and trust root [image verify --certificate-identity, image verify --certificate-oidc-issuer, image verify --trusted-root]', async () => {
    const name = image();
    const subject = await descriptorAt(base(name), 'x');
    await putBundle(
      base(name),
      subject,
      makeBundle(sigstore, { digest: subject.digest, signer: sigstore.certificate() }),
    );
    const by = (identity: string, issuer: string, root = 'root.json') =>
      verify(
        name,
        '--certificate-identity',
        identity,
        '--certificate-oidc-issuer',
        issuer,
        '--trusted-root',
        file(root),
      );
    assert.match(
      assertDone(await by('dev@example.com', 'https://accounts.example')),
      /Signed by: dev@example\.com \(https:\/\/accounts\.example\), bundle/,
    );
    assertFails(await by('other@example.com', 'https://accounts.example'), /dev@example\.com/);
    assertFails(await by('dev@example.com', 'https://other.example'), /https:\/\/accounts\.example/);
    writeFileSync(file('other-root.json'), JSON.stringify(new FakeSigstore().trustedRoot()));
    assertFails(await by('dev@example.com', 'https://accounts.example', 'other-root.json'), /trust root/);
    assertFails(await verify(name, '--certificate-identity', 'a'), /each in one way/);
    // With a key, the trust root's logs must know of the signature.
    const keyed = image();
    assertDone(await sign(keyed));
    const logged = await verify(keyed, '--key', file('mine.pub'), '--trusted-root', file('root.json'));
    assertFails(logged, /log/);
  });

  it('are found by patterns too [image verify --certificate-identity-regexp, image verify --certificate-oidc-issuer-regexp]', async () => {
    const name = image();
    const subject = await descriptorAt(base(name), 'x');
    await putBundle(
      base(name),
      subject,
      makeBundle(sigstore, { digest: subject.digest, signer: sigstore.certificate() }),
    );
    const by = (identity: string, issuer: string) =>
      verify(
        name,
        ...['--certificate-identity-regexp', identity, '--certificate-oidc-issuer-regexp', issuer],
        ...['--trusted-root', file('root.json')],
      );
    assertDone(await by('.*@example\\.com', 'https://.*'));
    assertFails(await by('example', 'https://.*'), /dev@example\.com/);
    assertFails(await by('.*', 'https'), /https:\/\/accounts\.example/);
    assertFails(await by('(', '.*'), /regular expression/);
  });

  it('are made without a key by who has a token [image sign --identity-token, image sign --fulcio-url, image sign --rekor-url, image sign --timestamp-server-url]', async () => {
    const name = image();
    await using services = await sigstoreServer(sigstore);
    const { url, token } = services;
    const all = ['--fulcio-url', url, '--rekor-url', url, '--timestamp-server-url', url];
    const signAs = (stdin: string) =>
      cli.run(['image', 'sign', '--plain-http', '--identity-token', '-', ...all, name], { stdin });
    assertDone(await signAs(`${token}\n`));
    assert.deepEqual(services.requests.toSorted(), ['/api/v1/log/entries', '/api/v1/timestamp', '/api/v2/signingCert']);
    const verified = await verify(
      name,
      ...['--certificate-identity', 'dev@example.com', '--certificate-oidc-issuer', 'https://accounts.example'],
      ...['--trusted-root', file('root.json')],
    );
    assert.match(assertDone(verified), /Signed by: dev@example\.com/);
    const tagged = ['image', 'sign', '--plain-http', '--format', 'tag', '--identity-token', '-', ...all, name];
    assertFails(await cli.run(tagged, { stdin: token }), /without a key is made as a bundle only/);
    const idle = ['image', 'sign', '--password-stdin', '--identity-token', file('root.json'), name];
    assertFails(await cli.run(idle, { stdin: 'x' }), /no encrypted key that a password is for/);
    const wrong = await signAs('not.a.token');
    assertFails(wrong, /no JSON Web Token/);
    assert.ok(!wrong.stderr.includes('not.a.token'));
    assertFails(
      await cli.run(['image', 'sign', ...all, '--key', file('mine.key'), name]),
      /with a key no other services/,
    );
    assertFails(await cli.run(['image', 'sign', name]), /neither a key nor an identity token/);
  });

  it('may have their trust root out of a TUF repository [image verify --tuf-root, image verify --tuf-repository]', async () => {
    const name = image();
    const subject = await descriptorAt(base(name), 'x');
    await putBundle(
      base(name),
      subject,
      makeBundle(sigstore, { digest: subject.digest, signer: sigstore.certificate() }),
    );
    const repository = mkdtempSync(join(directory, 'tuf-'));
    const keys = keyPair();
    const target = Buffer.from(JSON.stringify(sigstore.trustedRoot()));
    writeTufRepository(repository, { keys, version: 1, target });
    const by = (root: string) =>
      verify(
        name,
        ...['--certificate-identity', 'dev@example.com', '--certificate-oidc-issuer', 'https://accounts.example'],
        ...['--tuf-root', root, '--tuf-repository', repository],
      );
    assertDone(await by(join(repository, '1.root.json')));
    writeTufRepository(repository, { keys, version: 2, target, signer: keyPair() });
    assertFails(await by(join(repository, '1.root.json')), /TUF repository/);
  });

  it('are listed with what else is kept beside an image [image inspect --referrers, image inspect --plain-http]', async () => {
    const name = image();
    assertDone(await sign(name));
    assertDone(await sign(name, '--format', 'tag'));
    assert.match((await pull(name)).stderr, /is not verified: no image policy asks for a signature/);
    const inspect = (...flags: string[]) => cli.run(['image', 'inspect', ...flags, name]);
    assert.equal(JSON.parse(assertDone(await inspect()))[0].referrers, undefined);
    const [{ referrers }] = JSON.parse(assertDone(await inspect('--referrers', '--plain-http')));
    assert.deepEqual(
      referrers.map(({ artifactType, tag }: { artifactType: string; tag?: string }) => [artifactType, tag?.slice(-4)]),
      [
        ['application/vnd.dev.sigstore.bundle.v0.3+json', undefined],
        ['application/vnd.dev.cosign.simplesigning.v1+json', '.sig'],
      ],
    );
    assertFails(await inspect('--referrers'), /does not speak TLS/);
  });

  it('are not put on an image that somebody has put in the place of the one here', async () => {
    const name = image();
    assertDone(await pull(name));
    writeLayout(file('changed'), [{ tag: 'x', layers: [archive([{ name: 'b', data: Buffer.from('b') }])] }]);
    registry.push(file('changed'), 'x', name.slice(name.indexOf('/') + 1));
    assertFails(await sign(name), /another image by the name/);
    const { digest } = await descriptorAt(base(name), 'x');
    assertDone(await sign(`${name.slice(0, -2)}@${digest}`));
  });

  it('are asked for by the policy before an image is pulled, and before a box has it', async () => {
    const policy = join(cli.home, 'image-policy.yaml');
    // Looked for when a box is made, which has no flag for it.
    const registries = { version: 1, registries: { [registry.host]: { plainHttp: true } } };
    writeFileSync(join(cli.home, 'registries.json'), JSON.stringify(registries));
    const [name, open] = [image(), image()];
    const create = (of: string) => cli.run(['create', '--pull', 'never', of, 'true']);
    assertDone(await pull(name));
    assertDone(await create(name));
    const repository = name.slice(0, -2);
    const rule = (key: string) => `  ${repository}: { type: key, keys: [${file(key)}] }\n`;
    const write = (key: string) =>
      writeFileSync(policy, `version: 1\ndefault: { type: reject, reason: ask first }\nrules:\n${rule(key)}`);
    try {
      write('mine.pub');
      assertFails(await create(name), /has no signature/);
      assertFails(await pull(name), /has no signature/);
      assertFails(await pull(open), /is rejected by default by .*image-policy\.yaml: "ask first"/);
      assertFails(await cli.run(['image', 'inspect', open]), /not in the store/);
      assertFails(await verify(name), /has no signature/);
      assertDone(await sign(name));
      const pulled = await pull(name);
      assertDone(pulled);
      assert.doesNotMatch(pulled.stderr, /not verified/);
      assert.match(assertDone(await verify(name)), /Signed by: key/);
      // What was verified when it came needs no registry.
      assertDone(await create(name));
      const { id } = JSON.parse(assertDone(await cli.run(['image', 'inspect', name])))[0];
      assertDone(await create(id));
      write('other.pub');
      assertFails(await create(name), /key/);
      assertFails(await pull(name), /key/);
      writeFileSync(policy, 'version: 1\ndefault: { type: perhaps }\n');
      assertFails(await create(name), /image-policy\.yaml.*default\.type must be one of/);
    } finally {
      rmSync(policy);
      rmSync(join(cli.home, 'registries.json'));
    }
  });
});
