import assert from 'node:assert/strict';
import type { BoxRecord } from '@a3s-box/core/client';
import { statusOf } from '../../dist/views/box-status.js';
import { boxRow } from '../../dist/views/box-row.js';
import { boxDetails } from '../../dist/views/box-details.js';
import { jsonOf } from '../../dist/format/go-values.js';
import { goTime, humanDuration } from '../../dist/views/human-duration.js';
import { isSameName } from '../../dist/views/image-name.js';
import { aBox, MINUTE, now } from '../support/box-record.ts';

const exit = { known: true, code: 7, outOfMemory: false, timedOut: false, timeNs: 0n } as const;
const ended = { finished: new Date(now.getTime() - 120 * MINUTE) };

describe('the status of a box', () => {
  const statuses: [change: Partial<BoxRecord>, status: string][] = [
    [{}, 'Up 3 minutes'],
    [{ state: 'created' }, 'Created'],
    [{ state: 'starting' }, 'Starting'],
    [{ state: 'stopping' }, 'Up 3 minutes (Stopping)'],
    [{ state: 'paused' }, 'Up 3 minutes (Paused)'],
    [{ state: 'paused', pausedBecause: 'no-space' }, 'Up 3 minutes (Paused: no space)'],
    [{ state: 'exited', exit, ...ended }, 'Exited (7) 2 hours ago'],
    [{ state: 'exited', exit: { ...exit, code: 0 }, ...ended }, 'Exited (0) 2 hours ago'],
    [{ state: 'exited', exit: { ...exit, timedOut: true }, ...ended }, 'Exited (124) 2 hours ago'],
    [{ state: 'exited', exit: { ...exit, known: false }, ...ended }, 'Exited (unknown) 2 hours ago'],
    [{ state: 'exited', ...ended }, 'Exited (unknown) 2 hours ago'],
    [{ state: 'dead', ...ended }, 'Dead 2 hours ago'],
    [
      { state: 'dead', exit: { ...exit, known: false, reason: 'the VMM was killed\nby\tsomeone' } },
      'Dead: the VMM was killed by someone',
    ],
    [{ state: 'dead', exit: { ...exit, known: false, reason: 'x'.repeat(50) } }, `Dead: ${'x'.repeat(39)}…`],
  ];
  for (const [change, status] of statuses)
    it(status, () => assert.equal(statusOf({ ...aBox(), ...change }, now, true), status));

  it('has the whole reason when asked for', () => {
    const reason = 'x'.repeat(50);
    assert.equal(
      statusOf(aBox({ state: 'dead', exit: { ...exit, known: false, reason } }), now, false),
      `Dead: ${reason}`,
    );
  });
});

describe('a line of ps', () => {
  it('has what Docker shows', () => {
    const { Label, CreatedAt, ...row } = boxRow(aBox(), now, true);
    assert.deepEqual(row, {
      Command: '"sh -c \'echo hi; sle…"',
      ID: 'abababababab',
      Image: 'a3s/starter',
      Labels: 'a=1,b=',
      Names: 'web',
      Networks: 'default',
      Ports: '[::1]:8080->80/tcp, 0.0.0.0:5353->5353/udp',
      RunningFor: '5 minutes ago',
      State: 'running',
      Status: 'Up 3 minutes',
    });
    assert.ok(typeof Label === 'function');
    assert.deepEqual([Label('a'), Label('none'), Label('constructor')], ['1', '', '']);
    assert.match(String(CreatedAt), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \S+$/);
  });

  it('is whole when asked for', () => {
    const row = boxRow(aBox({ arguments: ['echo', 'a\x1b[31m'] }), now, false);
    assert.deepEqual([row['ID'], row['Command']], ['ab'.repeat(32), '"echo a\\x1b[31m"']);
  });

  const images: [asked: string, shown: string][] = [
    ['docker.io/library/alpine:3', 'alpine:3'],
    ['localhost:5000/a', 'localhost:5000/a'],
    [`alpine@sha256:${'12'.repeat(32)}`, 'alpine'],
    ['cdcdcdcdcdcd', 'cdcdcdcdcdcd'],
    [`sha256:${'cd'.repeat(32)}`, 'cdcdcdcdcdcd'],
  ];
  for (const [image, shown] of images) {
    it(`names the image ${shown}`, () =>
      assert.equal(boxRow(aBox({ spec: { ...aBox().spec, image } }), now, true)['Image'], shown));
  }
});

/** Of a box that nothing was asked for. */
const plainHostConfig = {
  ...{ Privileged: false, ReadonlyRootfs: false, Init: null, CapAdd: null, CapDrop: null, SecurityOpt: null },
  ...{ GroupAdd: null, CpuShares: 0, CpuPeriod: 0, CpuQuota: 0, CpusetCpus: '', CpusetMems: '' },
  ...{ MemoryReservation: 0, MemorySwap: 0, OomScoreAdj: 0, PidsLimit: null, ShmSize: 67108864, Ulimits: [] },
  ...{ Sysctls: {}, Dns: [], DnsOptions: [], DnsSearch: [], ExtraHosts: null, Annotations: {}, Tmpfs: {}, Mounts: [] },
};

describe('what inspect prints of a box', () => {
  const plain = (box: BoxRecord) => JSON.parse(jsonOf(boxDetails(box, new Map([['data', '/volumes/data']]))));

  it('has Docker’s names', () => {
    assert.deepEqual(plain(aBox()), {
      Id: 'ab'.repeat(32),
      Created: '2026-01-01T11:55:00.000Z',
      Path: 'sh',
      Args: ['-c', 'echo hi; sleep 60'],
      State: {
        ...{
          Status: 'running',
          Running: true,
          Paused: false,
          PausedBecause: '',
          OOMKilled: false,
          Dead: false,
          Pid: 42,
        },
        Restarting: false,
        ...{ ExitCode: null, Error: '', StartedAt: '2026-01-01T11:57:00.000Z', FinishedAt: '0001-01-01T00:00:00Z' },
      },
      Image: `sha256:${'cd'.repeat(32)}`,
      Name: 'web',
      RestartCount: 0,
      LogPath: '',
      Config: {
        ...{
          Hostname: '',
          User: '',
          Tty: false,
          OpenStdin: false,
          StdinOnce: false,
          Env: ['A=1'],
          Cmd: ['sh', '-c', 'echo hi; sleep 60'],
        },
        ...{ Image: 'a3s/starter', WorkingDir: '', Entrypoint: null, Labels: { a: '1', b: '' }, StopSignal: '' },
        Domainname: '',
      },
      HostConfig: {
        ...{ Memory: 536870912, NanoCpus: 1e9, AutoRemove: false, NetworkMode: 'default' },
        ...{ Binds: [], VolumesFrom: null, StorageOpt: null },
        RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
        LogConfig: { Type: 'json-file', Config: {} },
        PortBindings: {
          '80/tcp': [{ HostIp: '::1', HostPort: '' }],
          '5353/udp': [{ HostIp: '0.0.0.0', HostPort: '5353' }],
        },
        ...plainHostConfig,
      },
      Mounts: [],
      NetworkSettings: {
        Ports: {
          '80/tcp': [{ HostIp: '::1', HostPort: '8080' }],
          '5353/udp': [{ HostIp: '0.0.0.0', HostPort: '5353' }],
        },
        Networks: {
          default: { IPAddress: '10.0.2.15', IPPrefixLen: 24, GlobalIPv6Address: 'fd00::2', GlobalIPv6PrefixLen: 64 },
        },
      },
      ...{
        Platform: '',
        Backend: 'qemu',
        Acceleration: 'emulation',
        Cloned: false,
        Vcpus: 1,
        TimeoutMs: null,
        Generation: 4,
      },
    });
  });

  it('names binds and volumes as Docker does', () => {
    const spec = {
      ...aBox().spec,
      volumes: [
        { kind: 'bind', source: '/a', target: '/x', readOnly: true } as const,
        { kind: 'volume', source: 'data', target: '/y', readOnly: false } as const,
      ],
      storageBytes: 2 ** 30,
    };
    const { Mounts, HostConfig } = plain(aBox({ spec }));
    assert.deepEqual(HostConfig.Binds, ['/a:/x:ro', 'data:/y']);
    assert.deepEqual(HostConfig.StorageOpt, { size: '1073741824' });
    assert.deepEqual(Mounts, [
      { Type: 'bind', Source: '/a', Destination: '/x', Mode: 'ro', RW: false, Propagation: 'rprivate' },
      {
        Type: 'volume',
        Name: 'data',
        Source: '/volumes/data',
        Destination: '/y',
        Driver: 'local',
        Mode: '',
        RW: true,
        Propagation: '',
      },
    ]);
  });

  it('has no exit code where none is known', () => {
    const state = plain(aBox({ state: 'dead', exit: { ...exit, known: false, reason: 'killed' }, ...ended })).State;
    assert.deepEqual([state.ExitCode, state.Dead, state.Running, state.Error], [null, true, false, 'killed']);
    assert.equal(plain(aBox({ state: 'exited', exit: { ...exit, code: 0 } })).State.ExitCode, 0);
  });

  it('has no network where there is none', () => {
    assert.deepEqual(plain(aBox({ network: 'none', ports: [] })).NetworkSettings, { Ports: {}, Networks: {} });
  });
});

describe('durations', () => {
  const durations: [seconds: number, text: string][] = [
    [-5, 'Less than a second'],
    [0.4, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [119, 'About a minute'],
    [180, '3 minutes'],
    [3599, '59 minutes'],
    [3600, 'About an hour'],
    [2 * 3600, '2 hours'],
    [47 * 3600, '47 hours'],
    [48 * 3600, '2 days'],
    [13 * 86_400, '13 days'],
    [14 * 86_400, '2 weeks'],
    [60 * 86_400, '2 months'],
    [729 * 86_400, '24 months'],
    [730 * 86_400, '2 years'],
  ];
  for (const [seconds, text] of durations) {
    it(`${seconds} seconds are ${text}`, () => {
      assert.equal(humanDuration(new Date(now.getTime() - seconds * 1000), now), text);
    });
  }

  it('have times that Date reads again', () => {
    assert.equal(new Date(goTime(now).split(' ').slice(0, 3).join(' ')).getTime(), now.getTime());
  });
});

describe('names of images', () => {
  const same: [a: string, b: string, same: boolean][] = [
    ['alpine', 'docker.io/library/alpine:latest', true],
    ['a3s/starter', 'docker.io/a3s/starter:latest', true],
    ['alpine:3', 'alpine', false],
    ['localhost:5000/a', 'localhost:5000/a:latest', true],
    ['a/alpine', 'alpine', false],
  ];
  for (const [a, b, expected] of same) it(`${a} and ${b}`, () => assert.equal(isSameName(a, b), expected));
});
