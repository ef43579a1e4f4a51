/**
 * Round trips of the agent channel in a running VM, without a supervisor between. Bars: unary p50 at most 2 ms, exec of a
 * no-op (start, output, exit) p50 at most 15 ms under emulation.
 */
import { randomUUID } from 'node:crypto';
import { compileExecProcess } from '../../core/dist/box/oci-config.js';
import {
  AgentService,
  AttachOpen,
  ExecService,
  StartProcessRequest,
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
  const unary = await repeat(async () => void (await session.call(AgentService.stats, StatsRequest.create())));
  const exec = await repeat(() => execNoop(session));
  return { bar: 'unary p50 <= 2 ms, exec p50 <= 15 ms', unary, exec };
}

async function repeat(work: () => Promise<void>) {
  const times: number[] = [];
  for (let i = 0; i < WARM_UP + ROUNDS; i++) times.push(await timed(work));
  return summarize(times.slice(WARM_UP), 'ms');
}

async function execNoop(session: AgentSession): Promise<void> {
  const processId = randomUUID();
  const box = { image: '', environment: [], terminal: false, stdinOpen: false, autoRemove: true, labels: {} };
  const image = { env: [], exposedPorts: [], volumes: [], labels: {} };
  const request = { args: ['true'], environment: [], terminal: false };
  const process = compileExecProcess(request, box, image, 'bench');
  await session.call(
    ExecService.start,
    StartProcessRequest.create({ containerId: 'box', processId, process: Buffer.from(JSON.stringify(process)) }),
  );
  const attachment = new ProcessAttachment(session, AttachOpen.create({ containerId: 'box', processId }));
  for await (const chunk of attachment.output()) throw new Error(`true wrote ${chunk.data.length} bytes`);
  const { code } = await attachment.exited;
  if (code !== 0) throw new Error(`true ended with ${code}`);
  await session.call(ExecService.release, { containerId: 'box', processId });
}
