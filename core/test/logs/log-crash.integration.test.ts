import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { LogWriter } from '../../dist/logs/log-writer.js';
import { needs } from '../../../test/support/skip.ts';
import { recordsOf } from './log-samples.ts';
import { LIMITS, lineChunk } from './numbered-lines.ts';

const APPEND = join(import.meta.dirname, 'log-append-main.ts');
const FULL_DISK = join(import.meta.dirname, 'full-disk-main.ts');
const run = promisify(execFile);

describe('a log whose writer is killed', function () {
  this.timeout(120_000);
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'log'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** Starts a process that appends up to so many lines. */
  function startAppending(lines: number): { told: AsyncIterable<string>; kill: () => void; ended: Promise<unknown[]> } {
    const child = spawn(process.execPath, [APPEND, directory, String(lines)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const told = createInterface({ input: child.stdout });
    return { told, kill: () => child.kill('SIGKILL'), ended: once(child, 'close') };
  }

  /** Kills the process that appends once it told so many lines more. @returns lines that it told */
  async function appendAndKill(lines: number): Promise<number> {
    const child = startAppending(1_000_000);
    let told = 0;
    let first = -1;
    for await (const line of child.told) {
      // What was killed while it wrote this may have left a part of it.
      if (!(Number(line) > told)) break;
      told = Number(line);
      if (first < 0) first = told;
      if (told - first >= lines) child.kill();
    }
    assert.deepEqual(await child.ended, [null, 'SIGKILL']);
    return told;
  }

  it('has every line once that was told as appended, whenever that is', async () => {
    for (const lines of [0, 57, 400, 1500, 4000]) {
      const told = await appendAndKill(lines);
      const writer = await LogWriter.open(directory, LIMITS);
      const { stdout } = writer.resume;
      assert.ok(stdout >= BigInt(told) * 20n, `${told} lines were told, ${stdout} bytes are there`);
      await writer.append(lineChunk(0, Math.ceil(Number(stdout) / 20) + 1));
      await writer.close();
      const records = await recordsOf(directory);
      records.forEach(({ data }, line) => assert.equal(Number(data), line));
      assert.equal(records.length, Math.ceil(Number(stdout) / 20) + 1);
    }
  });

  it('can be read from another process while it is written and rotated', async () => {
    const child = startAppending(40_000);
    let reads = 0;
    let read = 0;
    for await (const line of child.told) {
      if (Number(line) < read) continue;
      const records = await recordsOf(directory);
      assert.ok(records.length >= Number(line), 'what was told before is there');
      records.forEach(({ data }, index) => assert.equal(Number(data), index));
      const last = await recordsOf(directory, { tail: 5 });
      const first = Number(last[0]?.data);
      assert.deepEqual(
        last.map(({ data }) => Number(data) - first),
        [0, 1, 2, 3, 4],
      );
      read = records.length;
      reads++;
    }
    assert.deepEqual(await child.ended, [0, null]);
    assert.ok(reads > 2 && read >= 40_000, `${reads} times, ${read} lines`);
  });
});

describe('a log on a full disk', function () {
  this.timeout(60_000);

  it('says so, keeps whole lines, and goes on with the same chunk when there is room', async function () {
    const unshare = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
    const works = await run('unshare', [...unshare, 'true']).then(
      () => true,
      () => false,
    );
    needs(this, works, 'mount namespaces (unshare)');
    const directory = mkdtempSync(join(tmpdir(), 'log'));
    try {
      const script = 'mount -t tmpfs -o size=256k tmpfs "$1" && exec "$2" "$3" "$1"';
      const args = [...unshare, 'sh', '-c', script, 'sh', directory, process.execPath, FULL_DISK];
      const { stdout } = await run('unshare', args);
      assert.equal(stdout, 'passed\n');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
