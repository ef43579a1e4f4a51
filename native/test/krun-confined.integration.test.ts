import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync, readSync, rmSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { confinePath, listenUnix, makeFifo, type KrunDocument, type KrunStatus } from '../dist/index.js';
import { buildRecordingLibkrun } from '../recording-libkrun/build.ts';
import { LauncherFixture } from './krun-launcher.ts';

const UID = 0x7800fff1;
const AS_ROOT = process.getuid?.() === 0;
const LOADERS = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'];
const LIBRARIES = ['/lib/x86_64-linux-gnu', '/lib/aarch64-linux-gnu', '/usr/lib', '/etc/ld.so.cache'];

/** What the launcher inherits, by number: 3 is the confining launcher's. */
const DESCRIPTORS = ['document', 'status', 'launcher', 'library', 'kernel', 'initramfs', 'root', 'scratch'] as const;

describe('a3s-box-krun, confined', function () {
  this.timeout(60_000);
  let fixture: LauncherFixture;
  let library: string;

  before(() => {
    fixture = new LauncherFixture();
    library = buildRecordingLibkrun(fixture.directory);
  });
  let child: ChildProcess | undefined;

  after(() => fixture[Symbol.dispose]());
  afterEach(() => child?.kill('SIGKILL'));

  it('makes a machine of inherited descriptors alone', async function () {
    const there = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
    makeFifo(fixture.path('pipe'));
    const pipeReader = openSync(fixture.path('pipe'), constants.O_RDONLY | constants.O_NONBLOCK);
    const files = [
      openSync(fixture.path('a3s-box-krun'), 'r'),
      openSync(library, 'r'),
      ...['kernel', 'initramfs', 'root'].map((name) => openSync(fixture.path(name), 'r')),
      openSync(fixture.path('scratch'), 'r+'),
      openSync(fixture.path('pipe'), 'w'),
      listenUnix(fixture.path('listener')),
      openSync(fixture.path('log'), 'a'),
    ];
    const [console_, listener, log] = [12, 13, 14];
    const named = (name: (typeof DESCRIPTORS)[number]): string => `/proc/self/fd/${DESCRIPTORS.indexOf(name) + 4}`;
    const base = fixture.document(named('library'));
    const document: KrunDocument = {
      ...base,
      kernel: { ...base.kernel, path: named('kernel'), initramfs: named('initramfs') },
      disks: [
        { id: 'root', path: named('root'), format: 'raw', readOnly: true, sync: 'none' },
        { id: 'scratch', path: named('scratch'), format: 'raw', readOnly: false, sync: 'full' },
      ],
      vsock: { tsi: null, ports: [{ port: 1024, path: `/proc/self/fd/${listener}`, listen: true }] },
      console: `/proc/self/fd/${console_}`,
      descriptors: [log],
    };
    const identity = AS_ROOT ? ['--uid', String(UID), '--gid', String(UID)] : [];
    const options = [
      ...['--keep', '15', ...identity, '--deny-sockets'],
      ...LIBRARIES.filter(there).flatMap((path) => ['--read', path]),
      ...[...LOADERS.filter(there), named('launcher')].flatMap((path) => ['--execute', path]),
      ...['--read-descriptor', '7'],
      ...['--env', `A3S_RECORDING_LIBKRUN_LOG=/proc/self/fd/${log}`],
      ...['--env', 'A3S_RECORDING_LIBKRUN_CONSOLE=of the guest'],
    ];
    child = spawn(confinePath() ?? '', [...options, '--', named('launcher'), '4', '5'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe', 'pipe', ...files],
    });
    for (const file of files) closeSync(file);
    const streams: readonly unknown[] = child.stdio;
    (streams[4] as Writable).end(JSON.stringify(document));
    assert.deepEqual(await (streams[3] as Readable).toArray(), []);
    const steps: string[] = [];
    for await (const line of createInterface(streams[5] as Readable)) {
      steps.push((JSON.parse(line) as KrunStatus).step);
      if (steps.length === 2) break;
    }
    assert.deepEqual(steps, ['entering', 'running']);
    // The connection is taken from the inherited listener; without an agent it is closed.
    const host = connect(fixture.path('listener'));
    assert.deepEqual(await host.toArray(), []);
    const said = Buffer.alloc(64);
    assert.equal(said.toString('utf8', 0, readSync(pipeReader, said)), 'of the guest');
    closeSync(pipeReader);
    child.kill('SIGKILL');
    await once(child, 'close');
    child = undefined;
    assert.equal(fixture.calls().at(-1)?.call, 'krun_start_enter');
    rmSync(fixture.path('pipe'));
  });
});
