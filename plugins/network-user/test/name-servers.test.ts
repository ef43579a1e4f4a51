import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { givenNameServers, hostNameServers } from '../dist/name-servers.js';

describe("the host's resolvers", () => {
  it('are read from resolv.conf in their order, what is no address left out', () => {
    const directory = mkdtempSync(join(tmpdir(), 'r-'));
    const file = join(directory, 'resolv.conf');
    const link = Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
      (entries ?? []).filter((entry) => entry.family === 'IPv6' && entry.scopeid > 0).map(() => name),
    );
    writeFileSync(
      file,
      [
        '# nameserver 192.0.2.9',
        'search example.org',
        'nameserver 127.0.0.53',
        ' nameserver\t2001:db8::1 ',
        'nameserver fe80::1%3',
        'nameserver fe80::1%nosuchlink',
        'nameserver resolver.example',
        ...link.slice(0, 1).map((name) => `nameserver fe80::1%${name}`),
      ].join('\n'),
    );
    try {
      const servers = hostNameServers(file);
      assert.deepEqual(servers.slice(0, 3), ['127.0.0.53:53', '[2001:db8::1]:53', '[fe80::1%3]:53']);
      assert.equal(servers.length, 3 + Math.min(link.length, 1));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('are none where there is no such file', () => {
    assert.deepEqual(hostNameServers('/nonexistent/resolv.conf'), []);
  });

  it('that a setting gives must be addresses', () => {
    assert.deepEqual(givenNameServers(['192.0.2.1']), ['192.0.2.1:53']);
    assert.throws(() => givenNameServers(['resolver.example']), { code: 'INVALID_ARGUMENT' });
  });
});
