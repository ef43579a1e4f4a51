/**
 * Stands in for the guest of one machine of the recording libkrun: speaks the contract kit's commands
 * (test/contract/hypervisor/guest), and knows of its machine what the library was told, from its log.
 */
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { readCalls, type RecordedCall } from './calls.ts';

const SECTOR = 512;
const VMDK = 2;
/** What a kernel keeps for itself, bytes. */
const KERNEL_BYTES = 20 * 1024 * 1024;
const HEADER = 14;
const SHORTEST_FRAME = 60;
const ENVIRONMENT = 'A3S_RECORDING_LIBKRUN_';

interface Extent {
  readonly path: string;
  readonly bytes: number;
  readonly offset: number;
}

interface Disk {
  readonly extents: readonly Extent[];
  readonly readOnly: boolean;
}

export class StandInGuest {
  readonly directory = mkdtempSync(join(tmpdir(), 'g-'));
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #control: Socket | undefined;
  #card: Socket | undefined;
  #frames: ((text: string) => void)[] = [];

  constructor() {
    this.#serve('agent', (socket) => this.#talk(socket));
    this.#serve('control', (socket) => (this.#control = socket));
    this.#serve('network', (socket) => this.#plugIn(socket));
  }

  /** What the launcher of its machine is told. */
  get environment(): Readonly<Record<string, string>> {
    return {
      [`${ENVIRONMENT}LOG`]: this.log,
      [`${ENVIRONMENT}AGENT`]: join(this.directory, 'agent'),
      [`${ENVIRONMENT}CONTROL`]: join(this.directory, 'control'),
      [`${ENVIRONMENT}NETWORK`]: join(this.directory, 'network'),
    };
  }

  get log(): string {
    return join(this.directory, 'log');
  }

  /** The calls that made its machine. */
  calls(): RecordedCall[] {
    return readCalls(this.log);
  }

  dispose(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #serve(name: string, take: (socket: Socket) => void): void {
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
      take(socket);
    });
    this.#servers.push(server.listen(join(this.directory, name)));
  }

  #talk(socket: Socket): void {
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (received + text).split('\n');
      received = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('frame ')) {
          this.#frames.push((answer) => socket.write(`${answer}\n`));
          this.#send(line.slice('frame '.length));
          continue;
        }
        const answer = this.#answer(line);
        if (answer !== undefined) socket.write(`${answer}\n`);
      }
    });
  }

  #answer(line: string): string | undefined {
    const [command, first = '', second = '', ...rest] = line.split(' ');
    switch (command) {
      case 'ping':
        return `pong ${line.slice('ping '.length)}`;
      case 'info':
        return this.#info();
      case 'disks':
        return [...this.#disks()].map(([slot, disk]) => `${slot}:${bytesOf(disk) / SECTOR}:${access(disk)}`).join(' ');
      case 'console':
        this.#say(line.slice('console '.length));
        return 'ok';
      case 'flood':
        for (let count = 0; count < Number(first); count++) this.#say(`flood ${count} ${'x'.repeat(60)}`);
        return 'ok';
      case 'pour':
        this.#say('poured');
        return Array(1000).fill('unread').join('\n');
      case 'read':
        return this.#read(first, Number(second), Number(rest[0]));
      case 'write':
        return this.#write(first, Number(second), rest.join(' '));
      case 'panic':
        this.#say('Kernel panic - not syncing');
        return this.#end();
      case 'poweroff':
        return this.#end();
      default:
        return `error unknown command: ${line}`;
    }
  }

  #say(text: string): void {
    this.#control?.write(`console ${text}\n`);
  }

  /** libkrun ends with 0 when the guest resets its processor, and so it does when it panics. */
  #end(): undefined {
    this.#control?.write('exit 0\n');
  }

  #call(name: string): RecordedCall['arguments'] {
    return this.calls().find(({ call }) => call === name)?.arguments ?? {};
  }

  #info(): string {
    const { num_vcpus: vcpus, ram_mib: memory } = this.#call('krun_set_vm_config');
    const kilobytes = (Number(memory) * 1024 * 1024 - KERNEL_BYTES) / 1024;
    return `vcpus=${String(vcpus)} memory=${kilobytes} kB`;
  }

  #disks(): Map<string, Disk> {
    const added = this.calls().filter(({ call }) => call === 'krun_add_disk3');
    return new Map(
      added.map(({ arguments: it }) => {
        const path = String(it['disk_path']);
        const extents =
          it['disk_format'] === VMDK ? extentsOf(path) : [{ path, bytes: statSync(path).size, offset: 0 }];
        return [String(it['block_id']), { extents, readOnly: it['read_only'] === true }];
      }),
    );
  }

  /** Within the first extent, as the kit asks. */
  #access(slot: string, flags: string, work: (file: number, start: number) => string): string {
    const disk = this.#disks().get(slot);
    const extent = disk?.extents[0];
    if (disk === undefined || extent === undefined || (disk.readOnly && flags !== 'r')) return 'error not possible';
    const file = openSync(extent.path, flags);
    try {
      return work(file, extent.offset);
    } finally {
      closeSync(file);
    }
  }

  #read(slot: string, offset: number, length: number): string {
    const data = Buffer.alloc(length);
    return this.#access(slot, 'r', (file, start) => {
      const count = readSync(file, data, 0, length, start + offset);
      return data.toString('utf8', 0, count).replaceAll('\0', '');
    });
  }

  #write(slot: string, offset: number, text: string): string {
    return this.#access(slot, 'r+', (file, start) => {
      writeSync(file, text, start + offset);
      fsyncSync(file);
      return 'ok';
    });
  }

  #plugIn(socket: Socket): void {
    this.#card = socket;
    let received = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data]);
      while (received.length >= 4 && received.length >= 4 + received.readUInt32BE()) {
        const end = 4 + received.readUInt32BE();
        const text = received
          .subarray(4 + HEADER, end)
          .toString('latin1')
          .replaceAll('\0', '');
        received = received.subarray(end);
        this.#frames.shift()?.(text);
      }
    });
  }

  #send(text: string): void {
    const frame = Buffer.alloc(Math.max(SHORTEST_FRAME, HEADER + text.length));
    frame.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
    frame.write(text, HEADER, 'latin1');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    this.#card?.write(Buffer.concat([length, frame]));
  }
}

function bytesOf({ extents }: Disk): number {
  return extents.reduce((sum, { bytes }) => sum + bytes, 0);
}

function access({ readOnly }: Disk): string {
  return readOnly ? 'ro' : 'rw';
}

function extentsOf(descriptor: string): Extent[] {
  return [...readFileSync(descriptor, 'utf8').matchAll(/^RW ([0-9]+) FLAT "([^"]+)" ([0-9]+)$/gm)].map(
    ([, sectors, name = '', offset]) => ({
      path: resolve(dirname(descriptor), name),
      bytes: Number(sectors) * SECTOR,
      offset: Number(offset) * SECTOR,
    }),
  );
}
