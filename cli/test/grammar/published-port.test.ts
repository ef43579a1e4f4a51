import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parsePublishedPort } from '../../dist/grammar/published-port.js';

describe('published ports', () => {
  const ports: [value: string, address: string, host: number, guest: number, protocol?: string][] = [
    ['80', '0.0.0.0', 0, 80],
    ['8080:80', '0.0.0.0', 8080, 80],
    ['8080:80/tcp', '0.0.0.0', 8080, 80],
    ['8080:53/udp', '0.0.0.0', 8080, 53, 'udp'],
    ['53/UDP', '0.0.0.0', 0, 53, 'udp'],
    [':80', '0.0.0.0', 0, 80],
    ['0:80', '0.0.0.0', 0, 80],
    ['127.0.0.1:8080:80', '127.0.0.1', 8080, 80],
    ['127.0.0.1::80', '127.0.0.1', 0, 80],
    ['[::1]:8080:80', '::1', 8080, 80],
    ['[::]::80/udp', '::', 0, 80, 'udp'],
    ['65535:65535', '0.0.0.0', 65535, 65535],
  ];
  for (const [value, hostAddress, hostPort, guestPort, protocol = 'tcp'] of ports) {
    it(value, () => assert.deepEqual(parsePublishedPort(value), { hostAddress, hostPort, guestPort, protocol }));
  }

  const wrong: [value: string, message: RegExp, code?: string][] = [
    ['', /no port of the box/],
    ['8080:', /no port of the box/],
    ['0', /invalid port of the box: 0/],
    ['80:0', /invalid port of the box: 0/],
    ['65536:80', /invalid port of the host: 65536/],
    ['x:80', /invalid port of the host: x/],
    ['80:x', /invalid port of the box: x/],
    ['-1:80', /invalid port of the host: -1/],
    ['127.0.0.1:80', /invalid port of the host: 127.0.0.1/],
    ['localhost:80:80', /invalid IP address: localhost/],
    ['1.2.3:80:80', /invalid IP address: 1.2.3/],
    ['[127.0.0.1]:80:80', /invalid IPv6 address: 127.0.0.1/],
    ['::1:80:80', /no port of the box/],
    ['80/sctp', /invalid protocol: sctp/],
    ['80/', /invalid protocol: /],
    ['80-90:80-90', /ranges of ports such as 80-90 are not supported yet/, 'UNSUPPORTED'],
    ['80-90', /ranges of ports such as 80-90/, 'UNSUPPORTED'],
    ['published=80,target=80', /the long form is not supported/],
  ];
  for (const [value, message, code = 'INVALID_ARGUMENT'] of wrong) {
    it(`${JSON.stringify(value)} is none`, () => assert.throws(() => parsePublishedPort(value), { code, message }));
  }

  it('are read as they are written, whatever the address and the ports', () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(
        fc.oneof(fc.ipV4(), fc.ipV6()),
        port,
        port,
        fc.constantFrom('tcp', 'udp'),
        (ip, host, guest, protocol) => {
          const address = ip.includes(':') ? `[${ip}]` : ip;
          assert.deepEqual(parsePublishedPort(`${address}:${host}:${guest}/${protocol}`), {
            ...{ hostAddress: ip, hostPort: host, guestPort: guest, protocol },
          });
        },
      ),
    );
  });
});
