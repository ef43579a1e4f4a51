import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DescriptorTable } from '@a3s-box/vmm';
import { PipeAnnouncement } from '../dist/announcement.js';
import { InheritedHandout } from '../dist/handout.js';

describe('announcement', () => {
  let directory: string;
  let writer: number;
  let first: PipeAnnouncement;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'an-'));
    using table = new DescriptorTable();
    ({ announcement: first } = PipeAnnouncement.create(directory, new InheritedHandout(table)));
    // As the VMM has it.
    writer = openSync(`/proc/self/fd/${String(table.inherited[0])}`, 'w');
  });
  afterEach(() => {
    first.close();
    rmSync(directory, { recursive: true });
  });

  const state = (announcement: PipeAnnouncement): Promise<string> =>
    Promise.race([announcement.made.then(() => 'made'), delay(50, 'waiting')]);

  it('is made when the VMM closes its end', async () => {
    assert.equal(await state(first), 'waiting');
    closeSync(writer);
    assert.equal(await state(first), 'made');
  });

  it('is seen by a host that comes before it, and by one that comes after', async () => {
    first.close();
    const before = PipeAnnouncement.resume(directory);
    assert.equal(await state(before), 'waiting');
    closeSync(writer);
    assert.equal(await state(before), 'made');
    before.close();
    const after = PipeAnnouncement.resume(directory);
    assert.equal(await state(after), 'made');
    after.close();
  });
});
