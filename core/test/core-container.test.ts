import assert from 'node:assert/strict';
import { createCoreContainer } from '../dist/core-container.js';
import type { Logger } from '../dist/index.js';
import { PluginRegistry } from '../dist/kernel/plugin-registry.js';
import type { StateDatabase } from '../dist/state/state-database.js';
import { HomeLayout } from '../dist/store/home-layout.js';
import { SupervisorServer } from '../dist/supervisor/supervisor-server.js';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

function registry(services: ConstructorParameters<typeof PluginRegistry>[0]['services']): PluginRegistry {
  return new PluginRegistry({ services, defaults: {}, explain: () => undefined });
}

const values = (services: Parameters<typeof registry>[0]) => ({
  logger: silent,
  plugins: { registry: registry(services) },
  layout: new HomeLayout('/nowhere'),
  database: {} as StateDatabase,
  assets: { boot: () => Promise.reject(), makeScratch: () => Promise.reject() },
  shareProgram: { find: () => Promise.reject() },
  self: { pid: 1, home: '/nowhere', version: '0.0.0', plugins: [], protocolMinor: 1, stop: async () => {} },
});

describe('core container', () => {
  it('can make every service of core', async () => {
    await using container = createCoreContainer(
      values([{ port: 'a3s-box.image-store.v1', name: 'fake', service: {} }]),
    );
    const made = container.resolveAll();
    assert.ok(made.some((service) => service instanceof SupervisorServer));
  });

  it('says that no plugin provides the image store', () => {
    assert.throws(() => createCoreContainer(values([])), /a3s-box\.image-store\.v1/);
  });
});
