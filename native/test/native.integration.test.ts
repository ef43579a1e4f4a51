import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  connectUnix,
  copyToMemory,
  extractKernel,
  fixMmapThreshold,
  libkrunfwPath,
  listenUnix,
  makeFifo,
  peerCredentials,
  openProcess,
  processStartTime,
  sampleTsc,
  sendDescriptor,
  tscKhz,
} from '../dist/index.js';

describe('native', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'native-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('extracts the kernel of libkrunfw with its addresses', () => {
    const { image, loadAddress, entryAddress, version } = extractKernel(libkrunfwPath() ?? '');
    assert.ok(image.includes('Linux version '));
    assert.ok(entryAddress >= loadAddress && entryAddress < loadAddress + BigInt(image.length));
    assert.ok(version >= 4);
  });

  it('says why a file is no libkrunfw', () => {
    const file = join(directory, 'no-library');
    writeFileSync(file, 'x');
    assert.throws(() => extractKernel(file), /dlopen failed/);
    assert.throws(() => extractKernel('libm.so.6'), /dlsym failed/);
  });

  it('has malloc map large blocks, as often as asked', () => {
    assert.deepEqual([fixMmapThreshold(1 << 20), fixMmapThreshold(128 * 1024)], [true, true]);
  });

  it('reads the start time of a process whatever its name is', () => {
    assert.match(processStartTime(process.pid) ?? '', /^[0-9]+$/);
    assert.equal(processStartTime(0x7fffffff), undefined);
  });

  it('sees the end of a process that it opened', async () => {
    const child = spawn('/bin/sleep', ['60']);
    const pid = child.pid ?? 0;
    const handle = openProcess(pid, processStartTime(pid) ?? '');
    assert.ok(handle);
    const ended = new Promise<void>((resolve) => handle.watch(resolve));
    assert.equal(handle.signal(SIGKILL), true);
    await Promise.all([ended, once(child, 'close')]);
    assert.equal(handle.signal(0), false);
    handle.close();
    handle.close();
  });

  it('opens no process with another start time', () => {
    assert.equal(openProcess(process.pid, '1'), undefined);
    assert.equal(openProcess(0x7fffffff, '1'), undefined);
  });

  it('listens on a socket that only its owner may use, and connects to it', async () => {
    const path = join(directory, 'socket');
    const before = process.umask(0);
    const listener = listenUnix(path);
    process.umask(before);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const socket = new Socket({ fd: connectUnix(path) });
    socket.destroy();
    await once(socket, 'close');
    closeSync(listener);
    assert.throws(() => connectUnix(path), { errno: 111 });
    assert.throws(() => listenUnix(path), { errno: 98 });
    assert.throws(() => listenUnix(join(directory, 'x'.repeat(108))), { errno: 36 });
  });

  it('knows who connected to a socket', async () => {
    const server = createServer();
    server.listen(join(directory, 'known'));
    await once(server, 'listening');
    const socket = new Socket({ fd: connectUnix(join(directory, 'known')) });
    const [accepted] = (await once(server, 'connection')) as [Socket & { readonly _handle: { readonly fd: number } }];
    const { fd } = accepted._handle;
    assert.deepEqual(peerCredentials(fd), { pid: process.pid, uid: process.getuid?.() });
    accepted.destroy();
    socket.destroy();
    server.close();
    assert.throws(() => peerCredentials(-1), { errno: 9 });
  });

  it('makes a named pipe', () => {
    const path = join(directory, 'pipe');
    makeFifo(path);
    assert.ok(statSync(path).isFIFO());
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(writer, 'through');
    const data = Buffer.alloc(7);
    assert.equal(readSync(reader, data), 7);
    assert.equal(data.toString(), 'through');
    closeSync(reader);
    closeSync(writer);
  });

  it('copies a file into memory, whole and apart from it', () => {
    const path = join(directory, 'file');
    const data = Buffer.alloc(3_000_001, 'abc');
    writeFileSync(path, data);
    const source = openSync(path, 'r');
    const copy = copyToMemory(source, 'copy');
    closeSync(source);
    writeFileSync(path, 'changed');
    assert.ok(readFileSync(`/proc/self/fd/${copy}`).equals(data));
    closeSync(copy);
    assert.throws(() => copyToMemory(9999, 'nothing'), { errno: 9 });
  });

  it('sends a message with a descriptor over a socket', async () => {
    const path = join(directory, 'socket');
    const server = createServer().listen(path);
    await once(server, 'listening');
    const descriptor = connectUnix(path);
    const [accepted] = (await once(server, 'connection')) as [Socket];
    const file = openSync('/dev/null', 'r');
    sendDescriptor(descriptor, 'message', file);
    const [data] = (await once(accepted, 'data')) as [Buffer];
    assert.equal(data.toString(), 'message');
    assert.throws(() => sendDescriptor(descriptor, 'message', 9999), { errno: 9 });
    for (const one of [descriptor, file]) closeSync(one);
    accepted.destroy();
    server.close();
    await once(server, 'close');
  });

  it('measures the time-stamp counter alike each time', async function () {
    if (process.arch !== 'x64') this.skip();
    const measure = async (): Promise<number> => {
      const first = sampleTsc();
      await delay(10);
      return tscKhz(first, sampleTsc());
    };
    const [one, two] = [await measure(), await measure()];
    assert.ok(one > 100_000, `${one} kHz`);
    assert.ok(Math.abs(one - two) / one < 1e-4, `${one} and ${two} kHz`);
  });
});

const SIGKILL = 9;
