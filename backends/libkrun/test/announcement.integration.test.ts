import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DescriptorTable } from '@a3s-box/vmm';
import { Announcement } from '../dist/announcement.js';
import { Handout } from '../dist/handout.js';

describe('announcement', () => {
  let directory: string;
  let writer: number;
  let first: Announcement;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'an-'));
    using table = new DescriptorTable();
    ({ announcement: first } = Announcement.create(directory, new Handout(table)));
    // As the VMM has it.
    writer = openSync(`/proc/self/fd/${String(table.inherited[0])}`, 'w');
  });
  afterEach(() => {
    first.close();
    rmSync(directory, { recursive: true });
  });

  const state = (announcement: Announcement): Promise<string> =>
    Promise.race([announcement.made.then(() => 'made'), delay(50, 'waiting')]);

  it('is made when the VMM closes its end', async () => {
    assert.equal(await state(first), 'waiting');
    closeSync(writer);
    assert.equal(await state(first), 'made');
  });

  it('is seen by a host that comes before it, and by one that comes after', async () => {
    first.close();
    const before = Announcement.resume(directory);
    assert.equal(await state(before), 'waiting');
    closeSync(writer);
    assert.equal(await state(before), 'made');
    before.close();
    const after = Announcement.resume(directory);
    assert.equal(await state(after), 'made');
    after.close();
  });
});
