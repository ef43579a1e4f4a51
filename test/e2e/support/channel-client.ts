/**
 * One host of the agent channel, to be killed at any moment. Gets its task as one JSON argument, attaches to the
 * container's process, writes what it gets to stdout before it acknowledges it, and says on descriptor 3 when its hello
 * was answered.
 */
import { writeSync } from 'node:fs';
import { AgentSession } from '../../../core/dist/guest/agent-session.js';
import { ProcessAttachment } from '../../../core/dist/guest/process-attachment.js';
import { AgentService, AttachOpen, StatsRequest } from '../../../core/dist/gen/a3s/box/agent/v1/agent.js';

export interface ChannelTask {
  readonly socket: string;
  /** Session key in force, hexadecimal. */
  readonly key: string;
  readonly nextKey: string;
  /** Offset of stdout to go on from. */
  readonly from: string;
}

const task = JSON.parse(process.argv[2] ?? '') as ChannelTask;
const session = await AgentSession.open({
  socket: task.socket,
  key: Buffer.from(task.key, 'hex'),
  nextKey: Buffer.from(task.nextKey, 'hex'),
  signal: new AbortController().signal,
});
writeSync(3, 'hello\n');
const open = AttachOpen.create({ containerId: 'box', from: { stdout: BigInt(task.from), stderr: 0n } });
const attachment = new ProcessAttachment(session, open);
void (async () => {
  for (;;) await session.call(AgentService.stats, StatsRequest.create());
})();
let offset = BigInt(task.from);
for await (const chunk of attachment.output()) {
  if (chunk.offset !== offset) throw new Error(`output at ${chunk.offset} where ${offset} was due`);
  offset += BigInt(chunk.data.length);
  writeSync(1, chunk.data);
}
