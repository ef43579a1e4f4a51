import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LogCursor } from '../../dist/logs/log-cursor.js';
import { LogProblems } from '../../dist/logs/log-problems.js';
import { warningsOf } from './log-samples.ts';

const lineOf = (offset: number) =>
  `${JSON.stringify({ log: 'x', stream: 'stdout', time: '2024-11-22T00:00:00.000000000Z', offset })}\n`;

describe('LogCursor', function () {
  this.timeout(30_000);

  it('misses nothing that is written to a file between its last read and the rotation', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'log'));
    const path = join(directory, 'box.log');
    const { logger, warnings } = warningsOf();
    const problems = new LogProblems({ directory, logger, onLost: undefined });
    writeFileSync(path, lineOf(0));
    const cursor = await LogCursor.open(directory, { tail: undefined, follow: true, problems });
    try {
      let offset = 1;
      const read: bigint[] = [];
      const readOn = async () => {
        const records = await cursor.next();
        read.push(...(records ?? []).map((record) => record.offset));
        return records;
      };
      for (let round = 0; round < 400; round++) {
        while (await readOn());
        // While it looks for more at the end, at one moment or another.
        const looking = readOn();
        for (let turn = 0; turn < round % 4; turn++) await nextTurn();
        appendFileSync(path, lineOf(offset++));
        renameSync(path, `${path}.1`);
        writeFileSync(path, lineOf(offset++));
        await looking;
      }
      while (await readOn());
      assert.deepEqual(
        read,
        Array.from({ length: offset }, (_, index) => BigInt(index)),
      );
      assert.deepEqual(warnings, []);
    } finally {
      await cursor[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    }
  });
});
