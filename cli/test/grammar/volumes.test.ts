import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { parseMount } from '../../dist/grammar/mount.js';
import { parseStorageOption } from '../../dist/grammar/storage-option.js';
import { parseVolume } from '../../dist/grammar/volume-flag.js';
import { parseVolumeOption } from '../../dist/grammar/volume-option.js';

describe('-v', () => {
  const bind = { kind: 'bind', makeSource: true, readOnly: false } as const;
  const volume = { kind: 'volume', readOnly: false } as const;
  const right: [text: string, mount: object][] = [
    ['/a:/b', { ...bind, source: '/a', target: '/b' }],
    ['/a/:/b:ro', { ...bind, source: '/a', target: '/b', readOnly: true }],
    ['/a:/b:rw,rprivate', { ...bind, source: '/a', target: '/b' }],
    ['./x:/b', { ...bind, source: resolve('x'), target: '/b' }],
    ['..:/b', { ...bind, source: resolve('..'), target: '/b' }],
    ['name:/b', { ...volume, source: 'name', target: '/b' }],
    ['name:/b:ro,nocopy', { ...volume, source: 'name', target: '/b', readOnly: true, noCopy: true }],
    ['/b', { ...volume, source: '', target: '/b' }],
    ['.hidden:/b', { ...volume, source: '.hidden', target: '/b' }],
  ];
  for (const [text, mount] of right) it(text, () => assert.deepEqual(parseVolume(text), mount));

  const wrong: [text: string, message: RegExp, code?: string][] = [
    ['', /invalid volume specification/],
    ['/a:', /invalid volume specification/],
    [':/b', /invalid volume specification/],
    ['/a:/b:ro:x', /invalid volume specification/],
    ['/a:/b:rx', /invalid mode: rx/],
    ['/a:/b:ro,rw', /both ro and rw/],
    ['/a:/b:nocopy', /invalid mode: nocopy/],
    ['/a:/b:z', /option 'z' is not supported/, 'UNSUPPORTED'],
    ['/a:/b:Z', /option 'Z' is not supported/, 'UNSUPPORTED'],
    ['/a:/b:rshared', /propagation 'rshared' is not supported/, 'UNSUPPORTED'],
    ['/a:/b:slave', /propagation 'slave' is not supported/, 'UNSUPPORTED'],
    ['/a:/b:private', /propagation 'private' is not supported/, 'UNSUPPORTED'],
  ];
  for (const [text, message, code = 'INVALID_ARGUMENT'] of wrong) {
    it(`refuses "${text}"`, () => assert.throws(() => parseVolume(text), { code, message }));
  }
});

describe('--mount of the host’s', () => {
  const right: [text: string, mount: object][] = [
    ['type=bind,src=/a,dst=/b', { kind: 'bind', source: '/a', target: '/b', readOnly: false }],
    ['type=bind,source=/a,target=/b,ro', { kind: 'bind', source: '/a', target: '/b', readOnly: true }],
    [
      'type=bind,src=/a,dst=/b,bind-propagation=rprivate',
      { kind: 'bind', source: '/a', target: '/b', readOnly: false },
    ],
    ['"src=a,b",dst=/b', { kind: 'volume', source: 'a,b', target: '/b', readOnly: false }],
    ['dst=/b,volume-nocopy', { kind: 'volume', source: '', target: '/b', readOnly: false, noCopy: true }],
  ];
  for (const [text, mount] of right) it(text, () => assert.deepEqual(parseMount(text).mount, mount));

  const wrong: [text: string, message: RegExp, code?: string][] = [
    ['type=bind,dst=/b', /field "source" is missing/],
    ['type=bind,src=/a', /field "target" is missing/],
    ['type=bind,src=/a,dst=/b,volume-nocopy', /field "volume-nocopy" is not one of a mount of type bind/],
    ['type=bind,src=/a,dst=/b,constructor', /field "constructor" is not one of a mount of type bind/],
    ['type=bind,src=/a,dst=/b,bind-propagation=shared', /propagation 'shared' is not supported/, 'UNSUPPORTED'],
    ['type=bind,src=/a,dst=/b,consistency=cached', /field "consistency"/, 'UNSUPPORTED'],
    ['src=a,dst=/b,volume-driver=nfs', /field "volume-driver"/, 'UNSUPPORTED'],
    ['type=image,src=a,dst=/b', /type image/, 'UNSUPPORTED'],
    ['type=nfs,dst=/b', /type "nfs"/],
  ];
  for (const [text, message, code = 'INVALID_ARGUMENT'] of wrong) {
    it(`refuses "${text}"`, () => assert.throws(() => parseMount(text), { code, message }));
  }
});

describe('sizes of disks', () => {
  it('are options by name', () => {
    assert.equal(parseStorageOption('size=4g'), 4 * 2 ** 30);
    assert.equal(parseVolumeOption('size=16G'), 16 * 2 ** 30);
    for (const parse of [parseStorageOption, parseVolumeOption]) {
      assert.throws(() => parse('device=/dev/sda'), { code: 'UNSUPPORTED' });
      assert.throws(() => parse('size'), { code: 'UNSUPPORTED' });
      assert.throws(() => parse('size=much'), { code: 'INVALID_ARGUMENT' });
    }
  });
});
