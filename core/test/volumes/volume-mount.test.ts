import assert from 'node:assert/strict';
import { checkVolumeMounts, settleMounts, withVolumes, type VolumeMount } from '../../dist/volumes/volume-mount.js';

const bind = (source: string, target: string, more: Partial<VolumeMount> = {}): VolumeMount => {
  return { kind: 'bind', source, target, readOnly: false, ...more };
};
const volume = (source: string, target: string, more: Partial<VolumeMount> = {}): VolumeMount => {
  return { kind: 'volume', source, target, readOnly: false, ...more };
};

describe('mounts of volumes', () => {
  const wrong: [title: string, mounts: VolumeMount[], message: RegExp][] = [
    ['a relative source', [bind('x', '/x')], /bind source "x" is not an absolute path/],
    ['a source with ".."', [bind('/a/../b', '/x')], /bind source/],
    ['a zero byte', [bind('/a', '/x\0')], /mount point/],
    ['the root', [bind('/a', '/./')], /box's root/],
    ['what is beneath /proc', [bind('/a', '/proc/1')], /kernel's own/],
    ['the cgroups', [volume('ab', '/sys/fs/cgroup')], /kernel's own/],
    ['two at one place', [bind('/a', '/x'), volume('ab', '//x/')], /duplicate mount point: \/x/],
    ['a name that is none', [volume('a b', '/x')], /invalid characters for a volume name/],
    ['a name that is a path', [volume('../../etc', '/x')], /invalid characters/],
    ['too many', Array.from({ length: 129 }, (_, index) => bind('/a', `/x${index}`)), /129 mounts are too many/],
  ];
  for (const [title, mounts, message] of wrong) {
    it(`refuse ${title}`, () => {
      assert.throws(() => checkVolumeMounts(mounts), { code: 'INVALID_ARGUMENT', message });
    });
  }

  it('are what was asked for and what the image wants, each volume with a name', () => {
    let drawn = 0;
    const settled = settleMounts(
      [bind('/a', '/data/'), volume('', '/own'), volume('named', '/named')],
      { volumes: ['/data', '/var/lib//db/'] },
      () => `drawn${drawn++}`,
    );
    assert.deepEqual(settled, [
      bind('/a', '/data/'),
      volume('drawn0', '/own', { anonymous: true }),
      volume('named', '/named'),
      volume('drawn1', '/var/lib/db', { anonymous: true }),
    ]);
  });

  it('come after what they lie in, and in the place of what was there', () => {
    const plain = (destination: string) => ({ destination, type: 'tmpfs', source: 'tmpfs', options: [] });
    const mounts = withVolumes(
      [plain('/proc'), plain('/dev'), plain('/dev/shm')],
      [
        { mount: bind('/a', '/x/y/z'), place: { share: 'v0' } },
        { mount: bind('/b', '/dev/shm', { readOnly: true }), place: { share: 'v1' } },
        { mount: volume('d', '/x/'), place: { slot: 'disk0' } },
      ],
    );
    assert.deepEqual(
      mounts.map(({ destination, source, options }) => [destination, source, options.at(-1)]),
      [
        ['/proc', 'tmpfs', undefined],
        ['/dev', 'tmpfs', undefined],
        ['/x', '/run/a3s-box/slots/disk0/data', 'rw'],
        ['/dev/shm', '/run/a3s-box/share/v1', 'ro'],
        ['/x/y/z', '/run/a3s-box/share/v0', 'rw'],
      ],
    );
  });
});
