/**
 * Round trips of the agent channel in a running VM, without a supervisor between. Bars: unary p50 at most 2 ms, exec of a
 * no-op (start, output, exit; one call) p50 at most 15 ms under emulation. That the guest forgets the process afterwards
 * keeps nobody waiting and is not timed. The unary call is one that has next to nothing to do; `stats` reads a dozen files.
 */
import { randomUUID } from 'node:crypto';
import { compileExecProcess } from '../../core/dist/box/oci-config.js';
import {
  AgentService,
  AttachOpen,
  ExecService,
  ReleaseRequest,
  StartProcess,
  StatsRequest,
} from '../../core/dist/gen/a3s/box/agent/v1/agent.js';
import { ProcessAttachment } from '../../core/dist/guest/process-attachment.js';
import type { AgentSession } from '../../core/dist/guest/agent-session.js';
import { BareVm } from '../e2e/support/bare-vm.ts';
import { BoxCli } from '../e2e/support/box-cli.ts';
import { summarize, timed } from './support/samples.ts';

const ROUNDS = 200;
const WARM_UP = 20;

export async function run() {
  await using cli = await BoxCli.create();
  await using vm = await BareVm.boot({ home: cli.home });
  await vm.startContainer(['sleep', '3600']);
  const { session } = vm.running;
  const nothing = ReleaseRequest.create({ containerId: 'box', processId: 'none' });
  const unary = await repeat(() => session.call(ExecService.release, nothing));
  const stats = await repeat(() => session.call(AgentService.stats, StatsRequest.create()));
  const exec = await repeat(
    () => execNoop(session),
    (processId) => session.call(ExecService.release, { containerId: 'box', processId }),
  );
  return { bar: 'unary p50 <= 2 ms, exec p50 <= 15 ms', unary, stats, exec };
}

/** @param settle what follows each round, outside of its time */
async function repeat<T>(work: () => Promise<T>, settle?: (made: T) => Promise<unknown>) {
  const times: number[] = [];
  for (let i = 0; i < WARM_UP + ROUNDS; i++) {
    const made = Promise.withResolvers<T>();
    times.push(await timed(async () => made.resolve(await work())));
    await settle?.(await made.promise);
  }
  return summarize(times.slice(WARM_UP), 'ms');
}

async function execNoop(session: AgentSession): Promise<string> {
  const processId = randomUUID();
  const box = { image: '', environment: [], terminal: false, stdinOpen: false, autoRemove: true, labels: {} };
  const image = { env: [], exposedPorts: [], volumes: [], labels: {} };
  const request = { args: ['true'], environment: [], terminal: false };
  const process = compileExecProcess(request, box, image, 'bench');
  const start = StartProcess.create({ process: Buffer.from(JSON.stringify(process)) });
  const attachment = new ProcessAttachment(session, AttachOpen.create({ containerId: 'box', processId, start }));
  for await (const chunk of attachment.output()) throw new Error(`true wrote ${chunk.data.length} bytes`);
  const { code } = await attachment.exited;
  if (code !== 0) throw new Error(`true ended with ${code}`);
  return processId;
}
