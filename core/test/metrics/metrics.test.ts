import assert from 'node:assert/strict';
import { exposition } from '../../dist/metrics/exposition.js';
import { metricsAddressText, parseMetricsAddress } from '../../dist/metrics/metrics-address.js';

describe('metrics', () => {
  it('are written as Prometheus reads them', () => {
    const text = exposition([
      { name: 'a_total', type: 'counter', help: 'Back\\slash\nand line', samples: [{ value: 1.5 }] },
      { name: 'b', type: 'gauge', help: 'B', samples: [{ labels: { name: 'a"b\\c\nd', x: 'y' }, value: 0 }] },
      { name: 'c', type: 'gauge', help: 'C', samples: [] },
    ]);
    assert.equal(
      text,
      '# HELP a_total Back\\\\slash\\nand line\n# TYPE a_total counter\na_total 1.5\n' +
        '# HELP b B\n# TYPE b gauge\nb{name="a\\"b\\\\c\\nd",x="y"} 0\n',
    );
  });

  for (const text of ['unix:/run/m.sock', '127.0.0.1:9323', '[::1]:0']) {
    it(`may be served at ${text}`, () => assert.equal(metricsAddressText(parseMetricsAddress(text)), text));
  }
  it('may be served at localhost', () =>
    assert.deepEqual(parseMetricsAddress('localhost:1'), { kind: 'tcp', host: '127.0.0.1', port: 1 }));

  for (const text of [
    '0.0.0.0:1',
    ':1',
    '[::]:1',
    '::1:1',
    '10.0.0.1:1',
    'host:1',
    '127.0.0.1',
    'unix:m',
    '127.0.0.1:70000',
    'http://127.0.0.1:1',
    '127.0.0.2:1',
    'constructor:1',
  ]) {
    it(`are not served at ${text}, which the message names`, () =>
      assert.throws(() => parseMetricsAddress(text), {
        code: 'INVALID_ARGUMENT',
        message: new RegExp(text.replaceAll(/[[\].]/g, '\\$&')),
      }));
  }
});
