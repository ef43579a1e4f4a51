import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archive } from '../../plugins/erofs/test/support/tar-builder.ts';
import { BoxCli } from './support/box-cli.ts';

interface Distribution {
  settings?: Readonly<Record<string, object>>;
}

const BUILT_IN = join(import.meta.dirname, '../../cli/distribution.json');
const MIB = 2 ** 20;

describe('a distribution of its own', () => {
  let cli: BoxCli;
  let directory: string;
  let env: Record<string, string>;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'distribution-'));
    const distribution = JSON.parse(readFileSync(BUILT_IN, 'utf8')) as Distribution;
    const policy = {
      version: 1,
      default: { type: 'accept' },
      rules: { 'docker.io/library/shut': { type: 'reject' } },
    };
    distribution.settings = { '@a3s-box/images-oci': { maxStoreBytes: 40 * MIB, policy } };
    const file = join(directory, 'distribution.json');
    writeFileSync(file, JSON.stringify(distribution));
    env = { A3S_BOX_DISTRIBUTION: file };
    cli = await BoxCli.create();
  });
  after(async () => {
    await cli?.[Symbol.asyncDispose]();
    if (directory) rmSync(directory, { recursive: true });
  });

  const done = async (args: string[], stdin?: Buffer): Promise<string> => {
    const { code, stdout, stderr } = await cli.run(args, { env, ...(stdin && { stdin }) });
    assert.equal(code, 0, stderr);
    return stdout.toString();
  };

  it('locks an image policy', async () => {
    await done(['tag', 'a3s/starter', 'shut']);
    const { code, stderr } = await cli.run(['create', '--pull', 'never', 'shut'], { env });
    assert.deepEqual([code, /is rejected for docker\.io\/library\/shut/.test(stderr)], [125, true], stderr);
    writeFileSync(join(cli.home, 'image-policy.yaml'), 'version: 1\ndefault: { type: accept }\n');
    assert.equal((await cli.run(['create', '--pull', 'never', 'shut'], { env })).code, 125);
    await done(['rm', (await done(['create', '--pull', 'never', 'a3s/starter'])).trim()]);
    await done(['rmi', 'shut']);
  });

  it('limits the image store, in which what a box has stays', async () => {
    const add = (name: string): Promise<string> =>
      done(['import', '-q', '-', name], archive([{ name: 'data', data: randomBytes(15 * MIB) }]));
    await add('old:1');
    await done(['create', 'old:1', 'x']);
    await add('idle:1');
    await add('new:1');
    const names = await done(['images', '--format', '{{.Repository}}']);
    assert.deepEqual(names.trim().split('\n').toSorted(), ['new', 'old']);
    await done(['rm', '-f', ...(await done(['ps', '-aq'])).trim().split('\n')]);
  });
});
