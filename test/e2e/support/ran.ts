/** A box, or one more command in it, run to its end through the SDK. */
import assert from 'node:assert/strict';
import type { Attachment, BoxClient, BoxSpec } from '@a3s-box/core/client';

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** Runs a box, which is removed at its end. */
export async function ran(client: BoxClient, spec: BoxSpec): Promise<Ran> {
  const { attachment } = await client.run({ ...spec, autoRemove: true });
  return outcome(attachment);
}

/** Runs a shell script in a box that runs. @param stdin what it can read; absent: nothing */
export async function ranIn(client: BoxClient, box: string, script: string, stdin?: Buffer): Promise<Ran> {
  const stdinOpen = stdin !== undefined;
  const execId = await client.exec(box, { command: ['sh', '-c', script], stdinOpen });
  const attachment = await client.attach(box, { execId, stdin: stdinOpen });
  attachment.stdin.end(stdin);
  return outcome(attachment);
}

async function outcome(attachment: Attachment): Promise<Ran> {
  using streams = attachment;
  const text = { stdout: '', stderr: '' };
  for await (const { stream, data } of streams.output) text[stream] += String(data);
  const exit = await streams.exited;
  assert.ok(exit.known, exit.known ? '' : exit.reason);
  return { ...text, code: exit.code };
}
