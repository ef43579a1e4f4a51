import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archive } from '../../plugins/erofs/test/support/tar-builder.ts';
import { dockerRegistry, type DockerRegistry } from '../../plugins/images-oci/test/support/docker-registry.ts';
import { writeLayout } from '../../plugins/images-oci/test/support/oci-layout.ts';
import { needPrograms } from '../../plugins/images-oci/test/support/programs.ts';
import { goProgram } from '../support/go-program.ts';
import { BoxCli } from './support/box-cli.ts';

const PASSWORD = 'test-password-5';
const MINUTE = 60_000;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('signatures of images, with cosign', function () {
  this.timeout(2 * MINUTE);
  let cosign: string;
  let cli: BoxCli;
  let registry: DockerRegistry;
  let directory: string;
  let repositories = 0;

  before(async function () {
    needPrograms(this, 'docker-registry', 'skopeo');
    this.timeout(30 * MINUTE);
    cosign = await goProgram('github.com/sigstore/cosign/v3/cmd/cosign', 'v3.1.3');
    directory = mkdtempSync(join(tmpdir(), 'cosign-'));
    registry = await dockerRegistry(directory);
    writeLayout(file('layout'), [{ tag: 'x', layers: [archive([{ name: 'a', data: Buffer.from('a') }])] }]);
    writeFileSync(file('sbom.json'), '{"packages":["a"]}');
    // Without a log: this is a machine without a network.
    writeFileSync(file('signing.json'), '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}');
    for (const name of ['mine', 'other']) await made(run('generate-key-pair', '--output-key-prefix', file(name)));
    cli = await BoxCli.create();
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    if (directory) rmSync(directory, { recursive: true });
  });

  const file = (name: string): string => join(directory, name);
  const secret = { COSIGN_PASSWORD: PASSWORD };

  function run(...args: string[]): Promise<Outcome> {
    const env = { ...process.env, ...secret, HOME: directory };
    return new Promise((resolve) => {
      execFile(cosign, args, { env, cwd: directory }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) || 1 : 0, stdout, stderr }),
      );
    });
  }
  async function made(outcome: Promise<Outcome>): Promise<string> {
    const { code, stdout, stderr } = await outcome;
    assert.equal(code, 0, stderr);
    return stdout;
  }
  async function refused(outcome: Promise<Outcome>): Promise<void> {
    const { code, stdout } = await outcome;
    assert.notEqual(code, 0, stdout);
  }
  const ours = async (...args: string[]): Promise<Outcome> => {
    const { code, stdout, stderr } = await cli.run(args, { env: secret });
    return { code: code ?? -1, stdout: stdout.toString(), stderr };
  };
  const sign = (name: string, ...more: string[]) =>
    ours('image', 'sign', '--plain-http', '--key', file('mine.key'), ...more, name);
  const verify = (name: string, key: string, ...more: string[]) =>
    ours('image', 'verify', '--plain-http', '--key', file(key), ...more, name);

  function image(): string {
    const name = `app${repositories++}`;
    registry.push(file('layout'), 'x', `${name}:x`);
    return `${registry.host}/${name}:x`;
  }

  const signings: readonly (readonly [string, readonly string[]])[] = [
    ['a bundle', ['--signing-config', 'signing.json']],
    ['a tag', ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false']],
  ];
  for (const [format, flags] of signings) {
    it(`that it makes as ${format} are good here, and for their key alone`, async () => {
      const name = image();
      await made(run('sign', '--yes', '--allow-http-registry', '--key', 'mine.key', ...flags, name));
      assert.match(await made(verify(name, 'mine.pub')), /^Signed by: key SHA256:/m);
      await refused(verify(name, 'other.pub'));
    });
  }

  for (const [format, flags, theirs] of [
    ['a bundle', [], []],
    ['a tag', ['--format', 'tag'], ['--new-bundle-format=false']],
  ] as const) {
    it(`that are made here as ${format} are good there, and for their key alone`, async () => {
      const name = image();
      await made(sign(name, ...flags));
      const by = (key: string) =>
        run('verify', '--allow-http-registry', '--insecure-ignore-tlog=true', ...theirs, '--key', key, name);
      await made(by('mine.pub'));
      await refused(by('other.pub'));
    });
  }

  it('attestations that it makes are good here', async () => {
    const name = image();
    const flags = ['--signing-config', 'signing.json', '--type', 'spdxjson', '--predicate', 'sbom.json'];
    await made(run('attest', '--yes', '--allow-http-registry', '--key', 'mine.key', ...flags, name));
    assert.match(await made(verify(name, 'mine.pub', '--type', 'spdxjson')), /\{"packages":\["a"\]\}\n$/);
    await refused(verify(name, 'other.pub', '--type', 'spdxjson'));
  });

  it('attestations that it makes in the older format are good here', async () => {
    const name = image();
    const flags = ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'];
    const what = ['--type', 'spdxjson', '--predicate', 'sbom.json'];
    await made(run('attest', '--yes', '--allow-http-registry', '--key', 'mine.key', ...flags, ...what, name));
    assert.match(await made(verify(name, 'mine.pub', '--type', 'spdxjson')), /\{"packages":\["a"\]\}\n$/);
  });

  it('attestations that are made here are good there', async () => {
    const name = image();
    await made(sign(name, '--type', 'spdxjson', '--predicate', file('sbom.json')));
    const by = (key: string) =>
      run(
        ...['verify-attestation', '--allow-http-registry', '--insecure-ignore-tlog=true'],
        ...['--type', 'spdxjson', '--key', key, name],
      );
    await made(by('mine.pub'));
    await refused(by('other.pub'));
  });
});
