import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BIN, CliHome } from './support/cli.ts';

const PACKAGE = join(import.meta.dirname, '../package.json');
const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };

describe('a3s-box', function () {
  this.timeout(30_000);
  let cli: CliHome;
  beforeEach(() => (cli = new CliHome()));
  afterEach(() => cli.close());

  it('tells its version', async () => {
    for (const flag of ['--version', '-v']) {
      assert.deepEqual(await cli.run([flag]), { status: 0, stdout: `a3s-box version ${version}\n`, stderr: '' });
    }
    assert.equal(existsSync(cli.home), false);
  });

  it('runs through links, from any directory', () => {
    const link = join(cli.parent, 'link');
    symlinkSync(BIN, link);
    const linked = join(cli.parent, 'package');
    symlinkSync(dirname(PACKAGE), linked);
    for (const program of [link, join(linked, 'bin/a3s-box'), './link']) {
      const { stdout } = spawnSync(program, ['--version'], { cwd: cli.parent, encoding: 'utf8' });
      assert.equal(stdout, `a3s-box version ${version}\n`, program);
    }
  });

  it('takes the node in PATH where the checkout has none, and says so when there is none', () => {
    const bin = join(cli.parent, 'copy/bin');
    mkdirSync(bin, { recursive: true });
    mkdirSync(join(cli.parent, 'copy/dist/bundle'), { recursive: true });
    writeFileSync(join(cli.parent, 'copy/dist/bundle/main.js'), 'console.log(process.argv.slice(2))');
    writeFileSync(join(bin, 'a3s-box'), readFileSync(BIN), { mode: 0o755 });
    const start = (PATH: string) =>
      spawnSync('/bin/sh', [join(bin, 'a3s-box'), 'x'], { env: { PATH }, encoding: 'utf8' });
    assert.equal(start(`${dirname(process.execPath)}:/usr/bin:/bin`).stdout, "[ 'x' ]\n");
    const without = start('/nowhere');
    assert.equal(without.status, 125);
    assert.match(without.stderr, /^a3s-box: node is not in PATH\na3s-box: hint: /);
  });

  it('says which Node.js it needs on an older one', () => {
    const bundle = join(dirname(PACKAGE), 'dist/bundle/main.js');
    const older = `Object.defineProperty(process, 'versions', { value: { node: '20.20.0' } }); await import(${JSON.stringify(bundle)});`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', older], { encoding: 'utf8' });
    assert.equal(status, 125);
    assert.match(stderr, /^a3s-box: Node.js 24 or newer is needed, and this is 20.20.0\na3s-box: hint: /);
  });

  it('lists its commands, and tells of one', async () => {
    for (const args of [[], ['--help'], ['help']]) {
      const { status, stdout } = await cli.run(args);
      assert.equal(status, 0);
      assert.match(stdout, /\n {2}run +Run a command in a new box/);
    }
    for (const args of [
      ['run', '--help'],
      ['help', 'run'],
      ['run', '--rm', '--help', 'IMG'],
    ]) {
      const { status, stdout } = await cli.run(args);
      assert.equal(status, 0);
      assert.match(stdout, /\$ a3s-box run \[OPTIONS\] IMAGE \[COMMAND\] \[ARG...\]/);
      assert.match(stdout, /-m, --memory=SIZE/);
    }
    assert.equal(existsSync(cli.home), false);
  });

  it('refuses a command that nobody knows', async () => {
    const { status, stdout, stderr } = await cli.run(['frobnicate', '-x']);
    assert.deepEqual([status, stdout], [125, '']);
    assert.match(stderr, /^a3s-box: unknown command: a3s-box frobnicate\na3s-box: hint: /);
  });

  it('counts arguments', async () => {
    assert.match((await cli.run(['run'])).stderr, /^a3s-box: 'a3s-box run' requires at least 1 argument\n/);
    assert.match((await cli.run(['info', 'x'])).stderr, /^a3s-box: 'a3s-box info' accepts no arguments\n/);
    assert.match((await cli.run(['cp', 'x'])).stderr, /'a3s-box cp' requires 2 arguments\n/);
    assert.match((await cli.run(['commit'])).stderr, /'a3s-box commit' requires at least 1 and at most 2 arguments\n/);
    assert.match((await cli.run(['volume', 'create', 'a', 'b'])).stderr, /accepts at most 1 argument\n/);
  });

  it('shows backends, plugins and home, as a table and as JSON [info --json]', async () => {
    const { stdout } = await cli.run(['info']);
    assert.match(stdout, /^BACKEND +USABLE +ACCELERATION +VERSION +WHY$/m);
    assert.match(stdout, /^other +no +none +7.2.0 +no \/dev\/kvm$/m);
    const info = JSON.parse((await cli.run(['info', '--json'])).stdout) as Record<string, unknown>;
    assert.equal(info['home'], cli.home);
    assert.equal(info['chosenBackend'], 'qemu');
    assert.equal((info['backends'] as unknown[]).length, 2);
  });

  it('tells of the supervisor in version, and starts none [version --json]', async () => {
    assert.match((await cli.run(['version'])).stdout, /^Supervisor: +not running$/m);
    assert.equal(existsSync(cli.home), false);
    await cli.run(['info']);
    const { client, supervisor } = JSON.parse((await cli.run(['version', '--json'])).stdout) as Record<
      string,
      { version: string }
    >;
    assert.equal(client?.version, version);
    assert.equal(supervisor?.version, '9.8.7');
  });

  it('asks the supervisor for the distribution that the environment names', async () => {
    await cli.run(['info']);
    const { child, outcome } = cli.start(['info'], { A3S_BOX_DISTRIBUTION: 'other.json' });
    child.stdin.end();
    await outcome;
    assert.deepEqual(
      cli.requests('hello').map(({ distribution }) => distribution),
      ['', join(cli.parent, 'other.json')],
    );
  });

  it('lists images, as a table and as JSON [images --json]', async () => {
    assert.match((await cli.run(['images'])).stdout, /^a3s\/starter +latest +abababababab +\d+ years ago +2MB$/m);
    const [image] = JSON.parse((await cli.run(['images', '--json'])).stdout) as { names: string[] }[];
    assert.deepEqual(image?.names, ['docker.io/a3s/starter:latest']);
  });

  it('prints errors of commands with --json as JSON', async () => {
    writeFileSync(join(cli.parent, 'file'), '');
    const { child, outcome } = cli.start(['info', '--json'], { A3S_BOX_HOME: join(cli.parent, 'file') });
    child.stdin.end();
    const { status, stdout, stderr } = await outcome;
    assert.deepEqual([status, stdout], [125, '']);
    const { error } = JSON.parse(stderr) as { error: Record<string, string> };
    assert.equal(error['code'], 'HOME_UNUSABLE');
    assert.match(error['hint']!, /A3S_BOX_HOME/);
  });

  it('ends quietly when nobody reads what it prints', async () => {
    const script = `${BIN} info | true; ${BIN} info --json | head -c 1 >/dev/null`;
    const { status, stderr } = spawnSync('/bin/sh', ['-c', script], { env: cli.environment, encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
  });
});
