import type { KrunDocument } from '../dist/index.js';

/** A document with something of everything. Its files need not be there. */
export function fullDocument(): KrunDocument {
  return {
    version: 1,
    library: '/opt/libkrun.so.1.17.4',
    logLevel: 'error',
    machine: { vcpus: 2, memoryMiB: 512, nested: false },
    kernel: { path: '/proc/self/fd/5', format: 'elf', initramfs: '/boot/initramfs', commandLine: 'console=hvc0 quiet' },
    disks: [
      { id: 'root', path: '/proc/self/fd/6', format: 'vmdk', readOnly: true, sync: 'full' },
      { id: 'scratch', path: '/run/scratch', format: 'raw', readOnly: false, sync: 'none' },
    ],
    vsock: {
      tsi: { ports: [{ host: 8080, guest: 80 }] },
      ports: [
        { port: 1024, path: '/run/agent.sock', listen: true },
        { port: 1025, path: '/proc/self/fd/7/name.sock', listen: false },
      ],
    },
    network: null,
    shares: [
      { tag: 'share0', path: '/srv/data', access: 'read-write', windowMiB: 0 },
      { tag: 'share1', path: '/srv/more', access: 'confined', windowMiB: 64 },
    ],
    console: '/run/console',
    descriptors: [8],
  };
}

export function networkDocument(): KrunDocument {
  return {
    ...fullDocument(),
    vsock: { tsi: null, ports: [] },
    network: { socket: { descriptor: 9 }, mac: '02:00:00:00:0a:ff' },
  };
}

/** A document with one value replaced, named by its path, or with the member removed (`undefined`). */
export function changed(document: KrunDocument, path: string, value: unknown): string {
  const copy = structuredClone(document) as unknown as Record<string, unknown>;
  const names = path.split('/').slice(1);
  const last = names.pop() ?? '';
  let place = copy;
  for (const name of names) place = place[name] as Record<string, unknown>;
  place[last] = value;
  return JSON.stringify(copy);
}

const full = fullDocument();
const minimal = JSON.stringify(full);
const manyPorts = Array.from({ length: 257 }, (_, index) => ({ host: index + 1, guest: index + 1 }));

/** What is wrong, the document, and the path of the member that it is refused by. */
export const WRONG_DOCUMENTS: readonly (readonly [what: string, document: string | Buffer, pointer: string])[] = [
  ['nothing', '', ''],
  ['text that is no JSON', 'version: 1', ''],
  ['an end in the middle', minimal.slice(0, -1), ''],
  ['something after its end', `${minimal} {}`, ''],
  ['a comma too many', minimal.replace('"nested":false', '"nested":false,'), ''],
  ['another kind of value', '[]', ''],
  ['an invalid byte', Buffer.concat([Buffer.from('{"'), Buffer.from([0xff]), Buffer.from('":1}')]), ''],
  ['an overlong encoding', Buffer.concat([Buffer.from('{"'), Buffer.from([0xc0, 0xaf]), Buffer.from('":1}')]), ''],
  ['a control character in a string', minimal.replace('quiet', '\n'), ''],
  ['a lone surrogate', minimal.replace('/run/console', '/run/\\ud800'), ''],
  ['a NUL in a path', minimal.replace('/run/console', '/run/\\u0000'), ''],
  ['more than 65536 bytes', minimal.padEnd(65_537), ''],
  ['deep nesting', minimal.replace('"network":null', `"network":${'['.repeat(2000)}`), '/network' + '/0'.repeat(15)],
  ['a member twice', minimal.replace('"console":', '"version":1,"console":'), '/version'],
  ['a member twice, further in', minimal.replace('"vcpus":2', '"vcpus":2,"vcpus":2'), '/machine/vcpus'],
  ['an unknown member', changed(full, '/firmware', '/x'), '/firmware'],
  [
    'an unknown member with odd characters',
    changed(full, '/machine/a~b', 1).replace('a~b', 'a~b/c'),
    '/machine/a~0b~1c',
  ],
  ['an unknown member further in', changed(full, '/disks/1/cache', 'none'), '/disks/1/cache'],
  ['a missing member', changed(full, '/console', undefined), '/console'],
  ['a missing member further in', changed(full, '/disks/1/sync', undefined), '/disks/1/sync'],
  ['another version', changed(full, '/version', 2), '/version'],
  ['another version with unknown members', changed(full, '/version', 2).replace('{', '{"new":1,'), '/version'],
  ['a relative path', changed(full, '/library', 'libkrun.so'), '/library'],
  ['an empty path', changed(full, '/kernel/path', ''), '/kernel/path'],
  ['a path that is too long', changed(full, '/console', `/${'x'.repeat(4095)}`), '/console'],
  ['a path with a line feed', changed(full, '/console', '/a\nb'), '/console'],
  ['a descriptor that is none', changed(full, '/kernel/path', '/proc/self/fd/x'), '/kernel/path'],
  ['a descriptor that is too high', changed(full, '/kernel/path', '/proc/self/fd/1024'), '/kernel/path'],
  ['a descriptor spelt oddly', changed(full, '/kernel/path', '/proc/self/fd/05'), '/kernel/path'],
  ['a number for a string', changed(full, '/library', 1), '/library'],
  ['an unknown level', changed(full, '/logLevel', 'loud'), '/logLevel'],
  ['null for an object', changed(full, '/machine', null), '/machine'],
  ['no processor', changed(full, '/machine/vcpus', 0), '/machine/vcpus'],
  ['too many processors', changed(full, '/machine/vcpus', 256), '/machine/vcpus'],
  ['half a processor', changed(full, '/machine/vcpus', 1.5), '/machine/vcpus'],
  ['a negative number', changed(full, '/machine/memoryMiB', -1), '/machine/memoryMiB'],
  ['a number beyond 32 bits', changed(full, '/machine/memoryMiB', 2 ** 32 + 512), '/machine/memoryMiB'],
  ['a number beyond 64 bits', minimal.replace(':512', ':99999999999999999999'), '/machine/memoryMiB'],
  ['a number with a leading zero', minimal.replace(':512', ':0512'), ''],
  ['a string for a number', changed(full, '/machine/memoryMiB', '512'), '/machine/memoryMiB'],
  ['a number for true', changed(full, '/machine/nested', 0), '/machine/nested'],
  ['an unknown kernel format', changed(full, '/kernel/format', 'pe'), '/kernel/format'],
  ['a command line with a line feed', changed(full, '/kernel/commandLine', 'a\nb'), '/kernel/commandLine'],
  ['a command line that is too long', changed(full, '/kernel/commandLine', 'x'.repeat(2048)), '/kernel/commandLine'],
  ['an object for an array', changed(full, '/disks', {}), '/disks'],
  ['too many disks', changed(full, '/disks', Array(17).fill(full.disks[0])), '/disks'],
  ['a disk name that is too long', changed(full, '/disks/0/id', 'a'.repeat(21)), '/disks/0/id'],
  ['a disk name with a capital', changed(full, '/disks/0/id', 'Root'), '/disks/0/id'],
  ['two disks of one name', changed(full, '/disks/1/id', 'root'), '/disks/1/id'],
  ['a disk format that would open other files', changed(full, '/disks/0/format', 'qcow2'), '/disks/0/format'],
  ['an unknown way to flush', changed(full, '/disks/0/sync', 'fast'), '/disks/0/sync'],
  ['a port beyond 65535', changed(full, '/vsock/tsi/ports/0/host', 65_536), '/vsock/tsi/ports/0/host'],
  ['too many ports', changed(full, '/vsock/tsi/ports', manyPorts), '/vsock/tsi/ports'],
  ['a guest port twice', changed(full, '/vsock/tsi/ports/1', { host: 1, guest: 80 }), '/vsock/tsi/ports/1/guest'],
  ['a host port twice', changed(full, '/vsock/tsi/ports/1', { host: 8080, guest: 1 }), '/vsock/tsi/ports/1/host'],
  ['a vsock port twice', changed(full, '/vsock/ports/1/port', 1024), '/vsock/ports/1/port'],
  ['the vsock port that means any', changed(full, '/vsock/ports/1/port', 4294967295), '/vsock/ports/1/port'],
  ['both impersonation and a network', changed(full, '/network', networkDocument().network), '/network'],
  ['a socket that is nothing', changed(networkDocument(), '/network/socket', {}), '/network/socket/descriptor'],
  [
    'a socket that is two things',
    changed(networkDocument(), '/network/socket', { path: '/x', descriptor: 9 }),
    '/network/socket/descriptor',
  ],
  [
    'a standard stream as socket',
    changed(networkDocument(), '/network/socket/descriptor', 2),
    '/network/socket/descriptor',
  ],
  ['an address of another form', changed(networkDocument(), '/network/mac', '02-00-00-00-0a-ff'), '/network/mac'],
  ['an address that is too long', changed(networkDocument(), '/network/mac', '02:00:00:00:0a:ff:00'), '/network/mac'],
  ['too many shares', changed(full, '/shares', Array(5).fill(full.shares[0])), '/shares'],
  ['two shares of one name', changed(full, '/shares/1/tag', 'share0'), '/shares/1/tag'],
  ['a share without a name', changed(full, '/shares/0/tag', ''), '/shares/0/tag'],
  ['an unknown access', changed(full, '/shares/0/access', 'write'), '/shares/0/access'],
  ['a window that is too large', changed(full, '/shares/0/windowMiB', 1048577), '/shares/0/windowMiB'],
];
