import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { RegistrySettings } from '@a3s-box/core';
import { parseReference } from '../dist/reference.js';
import { endpointsOf } from '../dist/registry-address.js';

const settings: RegistrySettings = {
  hosts: { 'plain.lan:5000': { plainHttp: true } },
  routes: [
    { prefix: 'docker.io', mirrors: ['mirror.lan/hub', 'plain.lan:5000'] },
    { prefix: 'docker.io/library/alpine', location: 'ghcr.io/team/alpine' },
    { prefix: 'bad.lan', location: 'no_where' },
  ],
};
const asked = (name: string, options: object = { settings }): string[] =>
  endpointsOf(parseReference(name), options).map(({ base, path }) => `${base.href}${path}`);

describe('where an image is asked for', () => {
  it('is at its registry, over TLS', () => {
    assert.deepEqual(asked('alpine', {}), ['https://registry-1.docker.io/library/alpine']);
    assert.deepEqual(asked('r.lan:5000/a/b:1'), ['https://r.lan:5000/a/b']);
  });

  it('is at its mirrors first', () => {
    assert.deepEqual(asked('debian'), [
      'https://mirror.lan/hub/library/debian',
      'http://plain.lan:5000/library/debian',
      'https://registry-1.docker.io/library/debian',
    ]);
  });

  it('is where the longest prefix of whole parts sends it', () => {
    assert.deepEqual(asked('alpine:3'), ['https://ghcr.io/team/alpine']);
    assert.equal(asked('alpine-extra').length, 3);
  });

  it('is no place when the route makes none', () => {
    assert.throws(() => asked('bad.lan/up'), { code: 'INVALID_REFERENCE' });
  });

  it('is without TLS only on this machine, or as the settings say', () => {
    assert.deepEqual(asked('localhost:5000/x', { plainHttp: true }), ['http://localhost:5000/x']);
    assert.deepEqual(asked('plain.lan:5000/x', { settings, plainHttp: true }), ['http://plain.lan:5000/x']);
    assert.throws(() => asked('r.lan/x', { plainHttp: true }), { code: 'INVALID_ARGUMENT', hint: /registries\.json/ });
  });
});
