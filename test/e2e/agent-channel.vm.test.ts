import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isBoxError } from '@a3s-box/core';
import { AttachOpen } from '../../core/dist/gen/a3s/box/agent/v1/agent.js';
import { AgentSession } from '../../core/dist/guest/agent-session.js';
import { ProcessAttachment } from '../../core/dist/guest/process-attachment.js';
import { FRESH_BOOT_SESSION_KEY } from '../../core/dist/guest/session-opening.js';
import { cpuSecondsOf } from '../bench/support/process.ts';
import { BareVm } from './support/bare-vm.ts';
import { BoxCli } from './support/box-cli.ts';
import { HostileLink } from './support/hostile-link.ts';
import type { ChannelTask } from './support/channel-client.ts';

const CLIENT = join(import.meta.dirname, 'support/channel-client.ts');
const SESSIONS = 200;
const COUNT = 'i=0; while :; do echo $i; i=$((i+1)); done';

/** Checks that what arrives is 0, 1, 2 and so on, one a line, without a gap or a repetition. */
class Counter {
  offset = 0n;
  #rest = '';
  #next = 0;

  take(data: Buffer): void {
    this.offset += BigInt(data.length);
    const lines = (this.#rest + data.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) assert.equal(line, String(this.#next++));
  }
}

describe('agent channel', () => {
  let cli: BoxCli;
  let vm: BareVm;
  before(async () => {
    cli = await BoxCli.create();
    vm = await BareVm.boot({ home: cli.home });
    await vm.startContainer(['sh', '-c', COUNT]);
    // The sessions of this test come from other processes.
    vm.running.session[Symbol.dispose]();
    await vm.running.session.ended;
  });
  after(async () => {
    await vm?.[Symbol.asyncDispose]();
    await cli?.[Symbol.asyncDispose]();
  });

  it(`gives ${SESSIONS} hosts that go away at any moment their own bytes, each once`, async function () {
    this.timeout(240_000);
    const agentSocket = vm.running.vm.agent.socket;
    await using link = await HostileLink.open(join(cli.home, 'run/link.sock'), agentSocket);
    const counter = new Counter();
    let key = vm.running.nextKey.toString('hex');
    let hellos = 0;
    for (let session = 0; session < SESSIONS; session++) {
      const nextKey = randomBytes(32).toString('hex');
      const from = counter.offset.toString();
      // Every tenth host is a process that is killed; of the others some are cut off before their hello was answered.
      const answered =
        session % 10 === 0
          ? await runClient({ socket: agentSocket, key, nextKey, from }, counter, { fromHello: randomInt(0, 120) })
          : await runSession({ socket: link.path, key, nextKey, from }, counter, () => link.cut());
      hellos += Number(answered);
      if (answered) key = nextKey;
      await delay(randomInt(0, 101));
    }
    assert.ok(hellos > SESSIONS / 2, `only ${hellos} sessions got as far as hello`);
    assert.ok(hellos < SESSIONS, 'no session was cut off before its hello was answered');
    assert.ok(counter.offset > 200_000n, `only ${counter.offset} bytes arrived`);
  });

  it('does not answer a host without the key', async () => {
    const task = { socket: vm.running.vm.agent.socket, nextKey: '00'.repeat(32), from: '0' };
    const counter = new Counter();
    assert.equal(
      await runClient({ ...task, key: FRESH_BOOT_SESSION_KEY.toString('hex') }, counter, { fromStart: 1500 }),
      false,
    );
    assert.equal(counter.offset, 0n);
  });

  it('costs next to nothing while no host is connected', async function () {
    this.timeout(120_000);
    const shareOver = async (seconds: number): Promise<number> => {
      const before = cpuSecondsOf(vm.running.vm.vmm.pid);
      await delay(seconds * 1000);
      return (cpuSecondsOf(vm.running.vm.vmm.pid) - before) / seconds;
    };
    // The workload goes on until its window is full. What is left then is the guest's idling.
    for (let second = 0; second < 60 && (await shareOver(1)) > 0.1; second++);
    const share = await shareOver(5);
    assert.ok(share < 0.02, `${share} of a core`);
  });
});

/**
 * One session of this process that is cut off: before its hello was answered, or with output on its way.
 * @returns whether its hello was answered
 */
async function runSession(task: ChannelTask, counter: Counter, cut: () => void): Promise<boolean> {
  const early = randomInt(5) === 0;
  if (early) setTimeout(cut, randomInt(0, 4));
  const opening = AgentSession.open({
    socket: task.socket,
    key: Buffer.from(task.key, 'hex'),
    nextKey: Buffer.from(task.nextKey, 'hex'),
    signal: AbortSignal.timeout(20_000),
  });
  const session = await opening.catch((error: unknown) => {
    if (early && isBoxError(error) && error.code === 'AGENT_UNREACHABLE') return undefined;
    throw error;
  });
  if (!session) return false;
  const open = AttachOpen.create({ containerId: 'box', from: { stdout: BigInt(task.from), stderr: 0n } });
  const attachment = new ProcessAttachment(session, open);
  setTimeout(cut, randomInt(0, 120));
  try {
    for await (const { offset, data } of attachment.output()) {
      assert.equal(offset, counter.offset);
      counter.take(data);
    }
  } catch (error) {
    if (!isBoxError(error) || error.code !== 'AGENT_UNREACHABLE') throw error;
  }
  session[Symbol.dispose]();
  return true;
}

/** When a client is killed, milliseconds. */
type Life = { readonly fromStart: number } | { readonly fromHello: number };

/** @returns whether the client's hello was answered before it was killed */
function runClient(task: ChannelTask, counter: Counter, life: Life): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLIENT, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    let answered = false;
    let stderr = '';
    const killAfter = (ms: number) => setTimeout(() => child.kill('SIGKILL'), ms);
    const timer = 'fromStart' in life ? killAfter(life.fromStart) : undefined;
    child.stdio[3]?.on('data', () => {
      answered = true;
      if ('fromHello' in life) killAfter(life.fromHello);
    });
    child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
    child.stdout?.on('data', (data: Buffer) => {
      try {
        counter.take(data);
      } catch (error) {
        reject(error);
      }
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === null) resolve(answered);
      else reject(new Error(`the client ended by itself with ${code}: ${stderr}`));
    });
  });
}
