import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeArchive } from '../../dist/actions/print-archive.js';

async function* archive(...pieces: string[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

describe('an archive that is written to a file', () => {
  let home: string;
  const path = (name: string): string => join(home, name);
  beforeEach(() => (home = fs.mkdtempSync(join(tmpdir(), 'archive-'))));
  afterEach(() => fs.rmSync(home, { recursive: true }));

  it('is its maker’s alone, and takes the place of an earlier one, also behind a link', async () => {
    fs.writeFileSync(path('file'), 'before', { mode: 0o644 });
    fs.symlinkSync('file', path('link'));
    await writeArchive(archive('one', ' two'), path('link'));
    assert.equal(fs.readFileSync(path('file'), 'utf8'), 'one two');
    assert.equal(fs.statSync(path('file')).mode & 0o777, 0o600);
    assert.equal(fs.readlinkSync(path('link')), 'file');
    assert.deepEqual(fs.readdirSync(home), ['file', 'link']);
  });

  it('takes the place of nothing that is no file', async () => {
    execFileSync('mkfifo', [path('pipe')]);
    for (const place of [path('pipe'), home]) {
      await assert.rejects(writeArchive(archive('x'), place), { code: 'INVALID_ARGUMENT', message: /is no file/ });
    }
    assert.ok(fs.statSync(path('pipe')).isFIFO());
    assert.deepEqual(fs.readdirSync(home), ['pipe']);
  });

  it('is refused where its directory is not there', async () => {
    const nowhere = writeArchive(archive('x'), path('no/such'));
    await assert.rejects(nowhere, { code: 'INVALID_ARGUMENT', message: /cannot be written: ENOENT/ });
  });

  it('leaves what was there when it cannot be completed', async () => {
    fs.writeFileSync(path('file'), 'before');
    const failing = async function* () {
      yield Buffer.from('half');
      throw new Error('enough');
    };
    await assert.rejects(writeArchive(failing(), path('file')), /enough/);
    assert.deepEqual([fs.readdirSync(home), fs.readFileSync(path('file'), 'utf8')], [['file'], 'before']);
  });
});
