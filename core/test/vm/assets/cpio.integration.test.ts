import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpioArchive } from '../../../dist/vm/assets/cpio.js';
import { initramfs } from '../../../dist/vm/assets/initramfs.js';

/** An independent reader: walks the archive by the format's own lengths. */
const READER = `
import sys, json
data = sys.stdin.buffer.read()
at, out = 0, []
while True:
    assert data[at:at+6] == b'070701', at
    f = [int(data[at+6+8*i:at+14+8*i], 16) for i in range(13)]
    name = data[at+110:at+110+f[11]-1].decode()
    body = at + (110 + f[11] + 3) // 4 * 4
    if name == 'TRAILER!!!': break
    out.append([name, oct(f[1]), f[6], f[9], f[10], data[body:body+f[6]].decode('latin1')])
    at = body + (f[6] + 3) // 4 * 4
print(json.dumps(out))
`;

function read(archive: Uint8Array): unknown {
  return JSON.parse(execFileSync('python3', ['-c', READER], { input: archive, encoding: 'utf8' }));
}

describe('cpio archive', function () {
  this.timeout(20_000);

  it('holds what was put in, whatever the lengths', () => {
    for (const length of [0, 1, 2, 3, 4, 5]) {
      const data = Buffer.alloc(length, 'x');
      const name = `dir/${'n'.repeat(length + 1)}`;
      const archive = cpioArchive([
        { kind: 'directory', name: 'dir', mode: 0o750 },
        { kind: 'file', name, mode: 0o644, data },
      ]);
      assert.deepEqual(read(archive), [
        ['dir', '0o40750', 0, 0, 0, ''],
        [name, '0o100644', length, 0, 0, 'x'.repeat(length)],
      ]);
    }
  });

  it('of an initramfs has the console and an executable /init', () => {
    const entries = read(initramfs(Buffer.from('program'))) as [string, string, number, number, number, string][];
    assert.deepEqual(
      entries.find(([name]) => name === 'dev/console'),
      ['dev/console', '0o20600', 0, 5, 1, ''],
    );
    assert.deepEqual(entries.at(-1), ['init', '0o100755', 7, 0, 0, 'program']);
  });

  it('is equal for equal input', () => {
    assert.deepEqual(initramfs(Buffer.from('a')), initramfs(Buffer.from('a')));
  });
});
