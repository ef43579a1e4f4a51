/** In small what `npm run soak` does in full. */
import assert from 'node:assert/strict';
import { BoxClient } from '@a3s-box/core/client';
import { BoxCli } from './support/box-cli.ts';
import { flood, orphans, outOfMemory, parallelExecs, type RunCommand } from '../soak/guest-loads.ts';

describe('a box under load', () => {
  let cli: BoxCli;
  let client: BoxClient;
  before(async () => {
    cli = await BoxCli.create();
    // It starts the supervisor.
    assert.equal((await cli.run(['ps'])).code, 0);
    client = await BoxClient.connect({ home: cli.home });
  });
  after(async () => {
    client?.close();
    await cli[Symbol.asyncDispose]();
  });

  /** Starting 50 commands of Node.js would take longer than what they ask for. */
  const run: RunCommand = async (args) => {
    const [name, box = '', ...command] = args;
    if (name !== 'exec') return cli.run(args);
    using attachment = await client.attach(box, { execId: await client.exec(box, { command }) });
    let stdout = '';
    for await (const { data } of attachment.output) stdout += String(data);
    const exit = await attachment.exited;
    return { code: exit.known ? exit.code : null, stdout, stderr: '' };
  };

  for (const init of [false, true]) {
    const title = init ? 'below --init' : 'below a shell';
    it(`has no zombies of 100 orphans, ${title}`, async () => void (await orphans(run, { count: 100, init })));
    it(`is shown as killed for want of memory, ${init ? 'below --init' : 'as its only process'}`, async () =>
      void (await outOfMemory(run, { init })));
  }

  it('keeps the end of 6 MB of output within its limits, without a gap', async () =>
    void (await flood(run, { lines: 6000, fileMegabytes: 1, files: 3 })));

  it('runs 50 processes at once, each with its own end', async () => void (await parallelExecs(run, { count: 50 })));
});
