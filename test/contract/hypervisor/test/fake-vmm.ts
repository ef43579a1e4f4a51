// A process that stands in for a VMM and its guest: answers the kit's commands on the agent socket, takes orders on a
// control socket, writes its console to a file. Started by fake-hypervisor.ts with one JSON argument.
import { appendFileSync, closeSync, fsyncSync, openSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

interface Disk {
  readonly path: string;
  readonly readOnly: boolean;
}

interface Orders {
  readonly directory: string;
  readonly kernel: string;
  readonly shape: { readonly vcpus: number; readonly memoryBytes: number };
  readonly disks: Record<string, Disk>;
  paused: boolean;
  /** Whether what nobody reads keeps the guest from answering. */
  readonly clogs: boolean;
  /** Present in a clone. */
  readonly clone?: { readonly remembered: string; readonly slotBytes: number };
}

const orders = JSON.parse(process.argv[2] ?? '{}') as Orders;
const consoleFile = join(orders.directory, 'console.log');
const queue: (() => void)[] = [];
const MIB = 1024 * 1024;
const moved = { read: 0, written: 0 };
let clogged = false;
let remembered = orders.clone?.remembered ?? '';

function log(line: string): void {
  appendFileSync(consoleFile, `${line}\n`);
}

/** A guest does nothing while its CPUs stand still. */
function whenRunning(work: () => void): void {
  if (orders.paused) queue.push(work);
  else work();
}

function access(slot: string, flags: string, work: (descriptor: number) => string): string {
  const disk = orders.disks[slot];
  if (disk === undefined || (disk.readOnly && flags !== 'r')) return 'error not possible';
  const descriptor = openSync(disk.path, flags);
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function read(slot: string, offset: number, length: number): string {
  const data = Buffer.alloc(length);
  return access(slot, 'r', (descriptor) => {
    const count = readSync(descriptor, data, 0, length, offset);
    moved.read += count;
    return data.toString('utf8', 0, count).replaceAll('\0', '');
  });
}

function write(slot: string, offset: number, text: string): string {
  return access(slot, 'r+', (descriptor) => {
    moved.written += writeSync(descriptor, text, offset);
    fsyncSync(descriptor);
    return 'ok';
  });
}

function disks(): string {
  const describe = ([slot, { path, readOnly }]: [string, Disk]): string =>
    `${slot}:${(orders.clone?.slotBytes ?? statSync(path).size) / 512}:${readOnly ? 'ro' : 'rw'}`;
  return Object.entries(orders.disks).map(describe).join(' ');
}

function answer(line: string): string | undefined {
  const [command, first = '', second = '', ...rest] = line.split(' ');
  switch (command) {
    case 'ping':
      return `pong ${first}`;
    case 'info':
      return `vcpus=${orders.shape.vcpus} memory=${Math.floor((orders.shape.memoryBytes - 20 * MIB) / 1024)} kB`;
    case 'disks':
      return disks();
    case 'remember':
      remembered = line.slice('remember '.length);
      return 'ok';
    case 'pour':
      log('poured');
      clogged = orders.clogs;
      return Array(1000).fill('unread').join('\n');
    case 'recall':
      return remembered;
    case 'console':
      log(line.slice('console '.length));
      return 'ok';
    case 'flood':
      return 'ok';
    case 'flush':
      return 'ok';
    case 'read':
      return read(first, Number(second), Number(rest[0]));
    case 'write':
      return write(first, Number(second), rest.join(' '));
    case 'panic':
      log('Kernel panic - not syncing');
      return process.exit(0);
    case 'poweroff':
      return process.exit(0);
    default:
      return `error unknown command: ${line}`;
  }
}

function serve(path: string, take: (line: string, socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    let received = '';
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (received + text).split('\n');
      received = lines.pop() ?? '';
      for (const line of lines) take(line, socket);
    });
  });
  return new Promise((resolve) => server.listen(path, resolve));
}

function control(line: string, socket: Socket): void {
  const [order, slot = '', path = ''] = line.split(' ');
  const disk = orders.disks[slot];
  if (order === 'pause') orders.paused = true;
  if (order === 'swap' && disk !== undefined) orders.disks[slot] = { ...disk, path };
  if (order === 'forget') moved.read = moved.written = 0;
  if (order === 'resume') {
    orders.paused = false;
    for (const work of queue.splice(0)) work();
  }
  socket.write(order === 'counters' ? `${moved.read} ${moved.written}\n` : 'ok\n');
}

if (readFileSync(orders.kernel).subarray(0, 4).toString('latin1') !== '\x7fELF') {
  process.stderr.write('fake vmm: the kernel is no ELF\n');
  process.exit(1);
}
await serve(join(orders.directory, 'agent.sock'), (line, socket) =>
  whenRunning(() => {
    const text = clogged ? undefined : answer(line);
    if (text !== undefined) socket.write(`${text}\n`);
  }),
);
await serve(join(orders.directory, 'control.sock'), control);
whenRunning(() => log('guest: up'));
process.stdout.write('ready\n');
