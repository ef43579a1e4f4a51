import assert from 'node:assert/strict';
import { configOf } from '../../dist/box/box-commits.js';
import { applyChanges } from '../../dist/box/config-changes.js';
import type { Box } from '../../dist/box/box.js';

const BASE = {
  env: ['A=1'],
  cmd: ['sh'],
  exposedPorts: ['80/tcp'],
  volumes: ['/old'],
  labels: { l: '1' },
  workingDir: '/w',
};
const changed = (...changes: string[]) => applyChanges(BASE, changes);

describe('changes of a config', () => {
  it('are read as in a Dockerfile', () => {
    assert.deepEqual(changed('CMD ["a", "b c"]').cmd, ['a', 'b c']);
    assert.deepEqual(changed('cmd echo "$HOME"').cmd, ['/bin/sh', '-c', 'echo "$HOME"']);
    assert.deepEqual(changed('ENTRYPOINT []').entrypoint, []);
    assert.deepEqual(changed('ENV A=2 B="x y" C=\\$5').env, ['A=2', 'B=x y', 'C=$5']);
    assert.deepEqual(changed('ENV OLD a b  c').env, ['A=1', 'OLD=a b  c']);
    assert.deepEqual(changed('EXPOSE 53/udp 8000-8002').exposedPorts, [
      '53/udp',
      '80/tcp',
      '8000/tcp',
      '8001/tcp',
      '8002/tcp',
    ]);
    assert.deepEqual(changed('LABEL "a b"=\'c d\' e=').labels, { l: '1', 'a b': 'c d', e: '' });
    assert.deepEqual(changed('ONBUILD RUN make', 'ONBUILD COPY . /x').onBuild, ['RUN make', 'COPY . /x']);
    assert.equal(changed('USER me:us').user, 'me:us');
    assert.deepEqual(changed('VOLUME ["/a b"]', 'VOLUME /c /d').volumes, ['/a b', '/c', '/d', '/old']);
    assert.equal(changed('WORKDIR a', 'WORKDIR ../b').workingDir, '/w/b');
    assert.equal(changed('WORKDIR /x').workingDir, '/x');
  });

  it('are refused where they make no sense', () => {
    for (const wrong of [
      'CMD',
      'ENV A',
      'ENV =x',
      'EXPOSE 0',
      'EXPOSE 70000',
      'EXPOSE a',
      'USER a b',
      'LABEL "a=b',
      'ONBUILD FROM x',
      'ONBUILD ONBUILD RUN x',
    ]) {
      assert.throws(() => changed(wrong), { code: 'INVALID_ARGUMENT' }, wrong);
    }
    for (const other of ['RUN make', 'COPY a b', 'HEALTHCHECK NONE', 'constructor x', '', 'ENV A=$B', 'WORKDIR ${X}']) {
      assert.throws(() => changed(other), { code: 'UNSUPPORTED' }, other);
    }
  });
});

describe('the config of a box', () => {
  const spec = {
    image: 'x',
    environment: ['B=2'],
    terminal: false,
    stdinOpen: false,
    autoRemove: false,
    labels: { m: '2' },
  };
  const of = (more: object) => configOf({ spec: { ...spec, ...more }, image: { config: BASE } } as unknown as Box);

  it('is the image’s with what was asked for', () => {
    assert.deepEqual(of({}), { ...BASE, env: ['A=1', 'B=2'], labels: { l: '1', m: '2' } });
    const ports = [{ hostAddress: '0.0.0.0', hostPort: 1, guestPort: 53, protocol: 'udp' }];
    const asked = of({
      command: ['c'],
      entrypoint: ['e'],
      user: 'u',
      workingDirectory: '/d',
      stopSignal: 'INT',
      ports,
    });
    assert.deepEqual([asked.cmd, asked.entrypoint, asked.user], [['c'], ['e'], 'u']);
    assert.deepEqual([asked.workingDir, asked.stopSignal, asked.exposedPorts], ['/d', 'INT', ['53/udp', '80/tcp']]);
  });

  it('has the health check that was asked for, over the image’s', () => {
    assert.deepEqual(of({ healthcheck: { test: ['CMD', 'x'], intervalMs: 5, retries: 2 } }).healthcheck, {
      ...{ test: ['CMD', 'x'], intervalNs: 5e6, retries: 2 },
    });
    assert.deepEqual(of({ healthcheck: { test: ['NONE'] } }).healthcheck, { test: ['NONE'] });
    assert.equal('healthcheck' in of({ healthcheck: { retries: 2 } }), false);
    const image = { config: { ...BASE, healthcheck: { test: ['CMD', 'own'], timeoutNs: 7 } } };
    const { healthcheck } = configOf({ spec: { ...spec, healthcheck: { retries: 4 } }, image } as unknown as Box);
    assert.deepEqual(healthcheck, { test: ['CMD', 'own'], timeoutNs: 7, retries: 4 });
  });

  it('has no command of the image’s for an entrypoint of its own', () => {
    const asked = of({ entrypoint: ['e'] });
    assert.deepEqual([asked.cmd, asked.entrypoint], [undefined, ['e']]);
  });
});
