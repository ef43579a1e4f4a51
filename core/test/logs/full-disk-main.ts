/**
 * Fills the file system of a directory with something else and a log, makes room, and goes on:
 * `node full-disk-main.ts DIRECTORY`. Prints `passed`.
 */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LogWriter } from '../../dist/logs/log-writer.js';
import { recordsOf } from './log-samples.ts';
import { lineChunk } from './numbered-lines.ts';

const directory = process.argv[2]!;
const logs = join(directory, 'log');
const other = join(directory, 'other');

// Once in the middle of a file, once at a rotation.
for (const maxFileBytes of [1 << 20, 16 * 1024]) {
  writeFileSync(other, Buffer.alloc(128 * 1024));
  const writer = await LogWriter.open(logs, { maxFileBytes, maxFiles: 1000 });
  let line = 0;
  let refused: unknown;
  while (refused === undefined) {
    const results = await Promise.allSettled([
      writer.append(lineChunk(line, 50)),
      writer.append(lineChunk(line + 50, 50)),
    ]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed?.status === 'rejected') refused = failed.reason;
    else line += 100;
  }
  assert.equal((refused as { code?: unknown }).code, 'DISK_FULL', String(refused));
  assert.ok(line > 0, 'some of it was written');

  await assertWhole(line);
  await assert.rejects(writer.append(lineChunk(line, 5000)), { code: 'DISK_FULL' });
  await assertWhole(line);

  rmSync(other);
  const rest = lineChunk(line, 100);
  await writer.append(rest);
  await writer.append(lineChunk(line + 100, 100));
  assert.equal(writer.resume.stdout, BigInt(line + 200) * 20n);
  await writer.close();
  await assertWhole(line + 200);
  rmSync(logs, { recursive: true });
}
process.stdout.write('passed\n');

/** At least so many lines are there, all in their order. */
async function assertWhole(lines: number): Promise<void> {
  const records = await recordsOf(logs);
  records.forEach(({ data }, index) => assert.equal(Number(data), index));
  assert.ok(records.length >= lines, `${records.length} of ${lines} lines`);
}
