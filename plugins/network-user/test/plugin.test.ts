import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import plugin from '../dist/plugin.js';
import { gatewayConfig } from '../dist/gateway-config.js';

const root = join(import.meta.dirname, '..');
const read = (file: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(root, file), 'utf8')) as Record<string, unknown>;

describe('plugin @a3s-box/network-user', () => {
  it('provides what its manifest says', () => {
    const manifest = read('package.json')['a3sBox'] as { provides: unknown; requires?: unknown };
    const provided = Object.values(plugin.provides).map(({ port, name }) => ({ port: port.id, name }));
    assert.deepEqual(provided, manifest.provides);
    assert.deepEqual(Object.keys(plugin.requires), manifest.requires ?? []);
  });

  it('has a schema for its settings that takes no others', () => {
    const schema = read('settings.schema.json');
    assert.equal(schema['additionalProperties'], false);
    assert.deepEqual(Object.keys(schema['properties'] as object), ['nameServers']);
  });

  it('tells the gateway what the schema knows and nothing else', () => {
    const schema = read('gateway/config.schema.json') as { required: string[]; properties: Record<string, unknown> };
    const port = { hostAddress: '::1', hostPort: 0, guestPort: 80, protocol: 'tcp', more: 1 } as const;
    const config = gatewayConfig({ boxId: 'b', directory: '/run/b', ports: [port], hostAccess: [] }, ['1.1.1.1:53']);
    assert.deepEqual(Object.keys(config).sort(), [...schema.required].sort());
    assert.deepEqual(Object.keys(config.ports[0] ?? {}), ['hostAddress', 'hostPort', 'guestPort', 'protocol']);
  });
});
