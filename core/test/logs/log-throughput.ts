/**
 * How fast a log is written and read: `node core/test/logs/log-throughput.ts [MiB]`, after a build. Prints JSON: rates
 * in 10^6 bytes of output a second and a second of the main thread's processor time (the machine may be busy), and the
 * longest time that the event loop was blocked.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { readLog, readLogBlocks } from '../../dist/logs/log-reader.js';
import { LogWriter } from '../../dist/logs/log-writer.js';
import { silentLogger } from './log-samples.ts';

const CHUNK = 32 * 1024;
const LINES = {
  plain: () => 'x'.repeat(79) + '\n',
  escaped: (index: number) => `\u001b[32mINFO\u001b[0m "request" ${index}`.padEnd(79, 'y') + '\n',
  utf8: (index: number) => `größer ${index} 日本語`.padEnd(70, 'z') + '\n',
};

const bytes = Number(process.argv[2] ?? 100) * 1024 * 1024;
for (const [name, line] of Object.entries(LINES)) console.log(JSON.stringify({ name, ...(await measure(line)) }));

async function measure(line: (index: number) => string): Promise<Record<string, number | number[]>> {
  const directory = mkdtempSync(join(tmpdir(), 'log'));
  const text = Buffer.from(Array.from({ length: 20_000 }, (_, index) => line(index)).join(''));
  try {
    const write = await timed(async () => {
      const writer = await LogWriter.open(directory, { maxFileBytes: 2 ** 30, maxFiles: 2 });
      for (let offset = 0; offset < bytes; offset += CHUNK) {
        const start = offset % (text.length - CHUNK);
        const data = text.subarray(start, start + CHUNK);
        await writer.append({ stream: 'stdout', offset: BigInt(offset), timeNs: BigInt(offset) * 1000n, data });
      }
      await writer.close();
    });
    let read = 0;
    const blocks = await timed(async () => {
      for await (const records of readLogBlocks(directory, { logger: silentLogger })) read += records.length;
    });
    const records = await timed(async () => {
      for await (const record of readLog(directory, { logger: silentLogger })) read += record.data.length;
    });
    const since = await timed(async () => {
      for await (const record of readLog(directory, { logger: silentLogger, sinceNs: 2n ** 62n }))
        read += record.data.length;
    });
    const tail = await timed(async () => {
      for await (const record of readLog(directory, { logger: silentLogger, tail: 100 })) read += record.data.length;
    });
    return {
      writeRate: write.rate,
      writeBlockedMs: write.blockedMs,
      readBlocksRate: blocks.rate,
      readRate: records.rate,
      readBlockedMs: records.blockedMs,
      sinceRate: since.rate,
      tailMs: tail.ms,
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function timed(work: () => Promise<void>): Promise<{ rate: number[]; ms: number; blockedMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const begin = performance.now();
  const cpu = process.threadCpuUsage();
  await work();
  const ms = performance.now() - begin;
  const { user, system } = process.threadCpuUsage(cpu);
  delay.disable();
  return {
    rate: [bytes / ms / 1000, bytes / (user + system)].map(Math.round),
    ms: Math.round(ms),
    blockedMs: Math.round(delay.max / 1e5) / 10,
  };
}
