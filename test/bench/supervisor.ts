/**
 * What the supervisor adds. Bars: exec of a no-op through the SDK p50 at most 25 ms; the CLI's exec at most bare
 * `node -e 0` plus 150 ms; the supervisor at most 120 MiB; `ps` with 200 records under 0.3 s.
 */
import { readFileSync } from 'node:fs';
import { SdkHome } from '../e2e/support/sdk-home.ts';
import { BIN } from './support/paths.ts';
import { pssOf, runProgram } from './support/process.ts';
import { compare, round, summarize, timed } from './support/samples.ts';

const EXECS = 200;
const WARM_UP = 20;
const COMMANDS = 20;
const RECORDS = 200;
const MIB = 2 ** 20;

export async function run() {
  await using home = await SdkHome.create();
  const client = await home.connect();
  const { id } = await client.runDetached(home.spec('exec sleep 3600', { name: 'bench' }));
  const execs: number[] = [];
  for (let i = 0; i < WARM_UP + EXECS; i++) {
    execs.push(
      await timed(async () => {
        const execId = await client.exec(id, { command: ['true'] });
        using attachment = await client.attach(id, { execId });
        for await (const { data } of attachment.output) throw new Error(`true wrote ${data.length} bytes`);
        await attachment.exited;
      }),
    );
  }
  const env = { ...process.env, A3S_BOX_HOME: home.path };
  const node = () => runProgram(process.execPath, ['-e', '0'], env);
  const exec = await compare(COMMANDS, () => runProgram(BIN, ['exec', 'bench', 'true'], env), node);
  for (let i = 1; i < RECORDS; i++) await client.create(home.spec('true', { name: `record-${i}` }));
  const ps: number[] = [];
  for (let i = 0; i < COMMANDS; i++) ps.push(await timed(() => runProgram(BIN, ['ps', '-a'], env)));
  const { pid } = client.supervisor;
  return {
    bar: 'sdkExec p50 <= 25 ms, cliExec p50 - node p50 <= 150 ms, supervisor <= 120 MiB, ps p50 < 300 ms',
    sdkExec: summarize(execs.slice(WARM_UP), 'ms'),
    cliExec: exec.a,
    node: exec.b,
    cliExecOverNodeMs: round(exec.a.p50 - exec.b.p50),
    ps200: summarize(ps, 'ms'),
    supervisorPssMiB: round(pssOf(pid) / MIB),
    supervisorRssMiB: round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024),
  };
}
