import assert from 'node:assert/strict';
import { isBoxError } from '@a3s-box/core';
import { AttachOpen, StartProcess } from '../../core/dist/gen/a3s/box/agent/v1/agent.js';
import { ProcessAttachment } from '../../core/dist/guest/process-attachment.js';
import { BareVm } from './support/bare-vm.ts';
import { BoxCli } from './support/box-cli.ts';

describe('an attachment that starts its process', () => {
  let cli: BoxCli;
  let vm: BareVm;
  before(async () => {
    cli = await BoxCli.create();
    vm = await BareVm.boot({ home: cli.home });
    await vm.startContainer(['sleep', '3600']);
  });
  after(async () => {
    await vm?.[Symbol.asyncDispose]();
    await cli?.[Symbol.asyncDispose]();
  });

  function attach(processId: string, args: readonly string[], stdin = false): ProcessAttachment {
    const document = { args, cwd: '/', env: ['PATH=/no/such:/bin'], user: { uid: 0, gid: 0 } };
    const start = StartProcess.create({ process: Buffer.from(JSON.stringify(document)), stdin });
    return new ProcessAttachment(vm.running.session, AttachOpen.create({ containerId: 'box', processId, start }));
  }

  async function run(attachment: ProcessAttachment): Promise<readonly [string, number]> {
    let text = '';
    for await (const { data } of attachment.output()) text += data.toString('latin1');
    return [text, (await attachment.exited).code];
  }

  it('has its output and its end', async () => {
    assert.deepEqual(await run(attach('a', ['sh', '-c', 'echo hi; exit 3'])), ['hi\n', 3]);
  });

  it('has its stdin', async () => {
    const attachment = attach('b', ['cat'], true);
    await attachment.opened;
    await attachment.writeStdin(Buffer.from('typed'));
    attachment.endStdin();
    assert.deepEqual(await run(attachment), ['typed', 0]);
  });

  it('starts it once, whoever repeats it', async () => {
    const once = ['sh', '-c', 'echo $$; sleep 0.2'];
    const [first, second] = await Promise.all([run(attach('c', once)), attach('c', once).opened.catch(String)]);
    const again = await run(attach('c', once));
    assert.equal(again[0], first[0]);
    assert.match(String(second), /false|being started/);
    await assert.rejects(attach('c', ['true']).opened, (error) => isBoxError(error) && error.code === 'ALREADY_EXISTS');
  });

  it('says what is not there, and leaves the id free', async () => {
    const notFound = (error: unknown) => isBoxError(error) && error.code === 'COMMAND_NOT_FOUND';
    await assert.rejects(attach('d', ['no-such-program']).opened, notFound);
    assert.deepEqual(await run(attach('d', ['true'])), ['', 0]);
  });
});
