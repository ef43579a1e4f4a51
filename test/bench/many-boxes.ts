/**
 * Boxes one after another, boxes from many processes at once, and a box that writes a lot. Bars: 100 run and removed in a
 * row, then 8 started at the same time from 8 processes, all at the first attempt, nothing left; 20,000 lines a second
 * for a minute, none lost.
 */
import { SdkHome } from '../e2e/support/sdk-home.ts';
import { BIN } from './support/paths.ts';
import { runProgram } from './support/process.ts';
import { round, summarize, timed } from './support/samples.ts';

const IN_A_ROW = 100;
const AT_ONCE = 8;
const LINES = 1_200_000;

export async function run() {
  await using home = await SdkHome.create();
  const client = await home.connect();
  const env = { ...process.env, A3S_BOX_HOME: home.path };
  const row: number[] = [];
  for (let i = 0; i < IN_A_ROW; i++) {
    row.push(await timed(() => runProgram(BIN, ['run', '--rm', '-m', '256m', 'a3s/starter', 'true'], env)));
  }
  await home.assertEmpty();
  const atOnce = await timed(async () => {
    const started = Array.from({ length: AT_ONCE }, (_, i) =>
      runProgram(BIN, ['run', '-d', '--name', `at-once-${i}`, '-m', '256m', 'a3s/starter', 'sleep', '3600'], env),
    );
    await Promise.all(started);
  });
  const running = (await client.list()).filter(({ state }) => state === 'running').length;
  if (running !== AT_ONCE) throw new Error(`${running} of ${AT_ONCE} boxes run`);
  await Promise.all((await client.list()).map(({ id }) => client.remove(id, { force: true })));
  await home.assertEmpty();
  const lines = await writeLines(home);
  await home.assertEmpty();
  return {
    bar: '100 in a row, 8 at once, 20000 lines a second for a minute: none fails, nothing is lost or left',
    row: summarize(row, 'ms'),
    atOnceMs: round(atOnce),
    lines,
  };
}

/** Has a box write numbered lines as fast as it can, and reads all of them back. */
async function writeLines(home: SdkHome) {
  const client = await home.connect();
  const { id } = await client.runDetached(home.spec(`seq 1 ${LINES}`));
  const writtenMs = await timed(async () => void (await client.wait(id)));
  let next = 1;
  let rest = '';
  const readMs = await timed(async () => {
    for await (const { data } of client.logs(id)) {
      const parts = (rest + data.toString('latin1')).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        if (line !== String(next)) throw new Error(`line ${next} reads "${line}"`);
        next++;
      }
    }
  });
  if (next !== LINES + 1 || rest !== '') throw new Error(`${next - 1} of ${LINES} lines arrived`);
  await client.remove(id);
  return {
    lines: LINES,
    writtenPerSecond: Math.round((LINES / writtenMs) * 1000),
    readPerSecond: Math.round((LINES / readMs) * 1000),
  };
}
