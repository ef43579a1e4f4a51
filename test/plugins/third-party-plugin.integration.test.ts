import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBoxError, NetworkPort, type EndpointSpec, type Logger, type LogFields } from '@a3s-box/core';
import { loadDistribution, planPlugins, PluginHost, type PluginHostOptions } from '@a3s-box/core/host';

const repository = join(import.meta.dirname, '../..');
const sample = join(repository, 'test/fixtures/sample-plugin');
const NAME = 'a3s-box-network-nowhere';

interface PackageJson {
  readonly a3sBox: Readonly<Record<string, unknown>>;
}

/** A home with the sample plugin in it, as a user would set it up. */
class Home implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'a3s-home-'));
  readonly plugin = join(this.path, 'nowhere');
  readonly distribution = join(this.path, 'distribution.json');
  readonly logged: (readonly [string, LogFields])[] = [];

  constructor() {
    cpSync(sample, this.plugin, { recursive: true });
    mkdirSync(join(this.plugin, 'node_modules/@a3s-box'), { recursive: true });
    symlinkSync(join(repository, 'core'), join(this.plugin, 'node_modules/@a3s-box/core'));
    this.distribute({});
  }

  distribute(rest: object): void {
    const plugins = [{ path: './nowhere' }, { path: './other' }];
    writeFileSync(this.distribution, JSON.stringify({ version: 1, plugins, ...rest }), { mode: 0o644 });
    const other = join(this.path, 'other');
    mkdirSync(other, { recursive: true });
    const a3sBox = { apiVersion: 1, plugin: './plugin.js', provides: [{ port: NetworkPort.id, name: 'other' }] };
    writeFileSync(
      join(other, 'package.json'),
      JSON.stringify({ name: 'other', version: '1.0.0', type: 'module', a3sBox }),
    );
    writeFileSync(
      join(other, 'plugin.js'),
      `export default {
        provides: { network: { port: { id: '${NetworkPort.id}' }, name: 'other' } },
        requires: {},
        activate: async () => ({ services: { network: { name: 'other' } } }),
      };`,
    );
  }

  /** Changes the manifest of the installed plugin. */
  changeManifest(change: Readonly<Record<string, unknown>>): void {
    const file = join(this.plugin, 'package.json');
    const json = JSON.parse(readFileSync(file, 'utf8')) as PackageJson;
    writeFileSync(file, JSON.stringify({ ...json, a3sBox: { ...json.a3sBox, ...change } }));
  }

  /** Changes the code of the installed plugin. */
  changeCode(from: string, to: string): void {
    const file = join(this.plugin, 'plugin.js');
    const code = readFileSync(file, 'utf8');
    assert.ok(code.includes(from));
    writeFileSync(file, code.replace(from, to));
  }

  async start(options: Partial<PluginHostOptions> = {}): Promise<PluginHost> {
    return await PluginHost.start({
      distribution: await loadDistribution(this.distribution),
      resolveFrom: [],
      stateDirectory: join(this.path, 'plugins'),
      logger: this.#logger({}),
      signal: new AbortController().signal,
      ...options,
    });
  }

  #logger(bound: LogFields): Logger {
    const log = (fields: LogFields, message: string): void => void this.logged.push([message, { ...bound, ...fields }]);
    return { debug: log, info: log, warn: log, error: log, child: (fields) => this.#logger({ ...bound, ...fields }) };
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const spec = (home: Home, change: Partial<EndpointSpec> = {}): EndpointSpec => {
  return { boxId: 'box-1', directory: home.path, ports: [], hostAccess: [], ...change };
};
const operation = { signal: new AbortController().signal };

/** Starts a home, and expects one plugin to be left out for one reason while the other works. */
async function leftOut(
  home: Home,
  options: Partial<PluginHostOptions> = {},
): Promise<{ message: string; hint: string }> {
  await using host = await home.start(options);
  assert.deepEqual(
    host.plugins.map(({ name, state }) => [name, state]),
    [
      [NAME, 'faulted'],
      ['other', 'active'],
    ],
  );
  assert.equal(host.registry.get(NetworkPort, 'other').name, 'other');
  assert.equal(host.faults.length, 1);
  const { message, hint = '' } = host.faults[0]?.error ?? { message: '' };
  assert.throws(
    () => host.registry.get(NetworkPort, 'nowhere'),
    (error) => isBoxError(error) && error.code === 'NOT_FOUND' && error.message.includes(NAME) && error.hint === hint,
  );
  return { message, hint };
}

describe('a third-party plugin', () => {
  let home: Home;
  beforeEach(() => void (home = new Home()));
  afterEach(() => home[Symbol.dispose]());

  it('is found by its manifest, without running its code', async () => {
    writeFileSync(join(home.plugin, 'plugin.js'), 'throw new Error("was run");');
    const { manifests, order, faults } = await planPlugins({
      distribution: await loadDistribution(home.distribution),
      resolveFrom: [],
    });
    assert.deepEqual(faults, []);
    assert.deepEqual(
      manifests.map(({ name }) => name),
      [NAME, 'other'],
    );
    assert.deepEqual(manifests[0]?.provides, [{ port: 'a3s-box.network.v1', name: 'nowhere' }]);
    assert.equal(order.length, 2);
  });

  it('gives its service to whoever asks for it', async () => {
    await using host = await home.start();
    assert.deepEqual(host.faults, []);
    const network = host.registry.get(NetworkPort, 'nowhere');
    assert.equal((await network.probe(operation)).usable, true);
    const endpoint = await network.attach(spec(home), operation);
    assert.equal(endpoint.guest.mtu, 1500);
    const adopted = await network.adopt(endpoint.record, operation);
    assert.deepEqual(adopted.record, endpoint.record);
    await endpoint.detach();
    await assert.rejects(network.adopt(endpoint.record, operation), { code: 'NOT_FOUND' });
    await assert.rejects(network.attach(spec(home, { hostAccess: [80] }), operation), { code: 'UNSUPPORTED' });
    assert.deepEqual(home.logged, [['network opened', { plugin: NAME, mtu: 1500 }]]);
  });

  it('keeps its state in a directory of its own', async () => {
    await using host = await home.start();
    await host.registry.get(NetworkPort, 'nowhere').attach(spec(home), operation);
    assert.deepEqual(readdirSync(join(home.path, 'plugins', NAME, 'endpoints')), ['box-1']);
  });

  it('throws errors that the host knows as its own', async () => {
    await using host = await home.start();
    const ports = [{ hostAddress: '127.0.0.1', hostPort: 0, guestPort: 80, protocol: 'tcp' as const }];
    await assert.rejects(
      host.registry.get(NetworkPort, 'nowhere').attach(spec(home, { ports }), operation),
      (error) => {
        assert.ok(isBoxError(error));
        assert.equal(error.code, 'UNSUPPORTED');
        assert.match(error.hint ?? '', /--network default/);
        return true;
      },
    );
  });

  it('is the default where the distribution says so', async () => {
    home.distribute({ defaults: { 'a3s-box.network.v1': 'nowhere' } });
    await using host = await home.start();
    assert.equal(host.registry.get(NetworkPort).name, 'nowhere');
  });

  it('gets the settings of the distribution and of the user', async () => {
    home.distribute({ settings: { [NAME]: { mtu: 9000 } } });
    await using host = await home.start();
    const endpoint = await host.registry.get(NetworkPort, 'nowhere').attach(spec(home), operation);
    assert.equal(endpoint.guest.mtu, 9000);
    const clash = await leftOut(home, { userSettings: { [NAME]: { mtu: 1400 } } });
    assert.match(clash.message, /the distribution holds these settings: mtu/);
    home.distribute({});
    const wrong = await leftOut(home, { userSettings: { [NAME]: { mtu: 10 } } });
    assert.match(wrong.message, /its settings are wrong: settings\.mtu must be >= 576/);
  });

  it('is refused when its apiVersion is wrong, with what to do', async () => {
    home.changeManifest({ apiVersion: 2 });
    const { message, hint } = await leftOut(home);
    assert.equal(message, `plugin "${NAME}": it was written for apiVersion 2, and this A3S Box has 1`);
    assert.equal(hint, `update A3S Box, or install a release of "${NAME}" for apiVersion 1`);
  });

  it('is refused when a provider that it needs is missing', async () => {
    home.changeManifest({ requires: [{ port: 'a3s-box.hypervisor.v1', name: 'none' }] });
    const { message } = await leftOut(home);
    assert.equal(message, `plugin "${NAME}": it needs a3s-box.hypervisor.v1 "none", which no plugin provides`);
  });

  it('is refused when it throws at activation', async () => {
    home.changeCode('const network', 'throw new Error("no such device");\n const network');
    const { message } = await leftOut(home);
    assert.equal(message, `plugin "${NAME}": activation failed: no such device`);
  });

  it('is refused when it hangs at activation', async () => {
    home.changeCode('const network', 'await new Promise(() => {});\n const network');
    const { message } = await leftOut(home, { activationLimitMs: 100 });
    assert.equal(message, `plugin "${NAME}": it did not activate within 100 ms`);
  });

  it('is refused when manifest and code disagree', async () => {
    home.changeManifest({ provides: [{ port: 'a3s-box.network.v1', name: 'somewhere' }] });
    await using host = await home.start();
    assert.deepEqual(
      host.faults.map(({ kind, error }) => [kind, error.message]),
      [
        [
          'disagreement',
          `plugin "${NAME}": manifest and code disagree: only the manifest provides a3s-box.network.v1 "somewhere"; ` +
            'only the code provides a3s-box.network.v1 "nowhere"',
        ],
      ],
    );
    assert.equal(host.registry.get(NetworkPort).name, 'other');
  });

  it('is skipped without a fault when it says that it has no place here', async () => {
    home.changeCode('definePlugin, NetworkPort', 'definePlugin, NetworkPort, SkipPlugin');
    home.changeCode('const network', "throw new SkipPlugin('needs a TPM');\n const network");
    await using host = await home.start();
    assert.deepEqual(host.faults, []);
    const [status] = host.plugins;
    assert.ok(status?.state === 'skipped');
    assert.equal(status.reason, 'needs a TPM');
  });
});
