import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BoxClient } from '@a3s-box/core/client';
import { AttachOpen } from '../../core/dist/gen/a3s/box/agent/v1/agent.js';
import { ProcessAttachment } from '../../core/dist/guest/process-attachment.js';
import { BareHost } from './support/bare-vm.ts';
import { BoxCli, stopSupervisor } from './support/box-cli.ts';
import { SdkHome } from './support/sdk-home.ts';

const CLONES = 100;
/** Large enough for a cache of translated code that holds all of it. */
const MEMORY_BYTES = 512 * 2 ** 20;
/** As many as two CPUs can wake in the time that a clone has for it. */
const PARALLEL = 3;
const TELL = `
cat /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid
head -c 24 /dev/urandom | od -An -tx1 -w24
cat /sys/class/net/eth0/address
ip -4 addr show eth0 | sed -n 's/.*inet //p' | cut -d' ' -f1
hostname
date +%s
read line`;

/** What one clone is known by. */
interface Identity {
  readonly bootId: string;
  readonly uuid: string;
  readonly random: string;
  readonly mac: string;
  readonly hostname: string;
  readonly sessionKey: string;
}

describe('clones of one template', function () {
  let home: SdkHome;
  let client: BoxClient;
  before(async () => {
    home = await SdkHome.create();
    client = await home.connect();
    await client.templates.create({ memoryBytes: MEMORY_BYTES });
  });
  after(() => home[Symbol.asyncDispose]());
  afterEach(() => home.assertEmpty());

  it(`are ${CLONES} different machines, with the right time`, async function () {
    this.timeout(600_000);
    const found: Identity[] = [];
    let left = CLONES;
    const work = async () => {
      while (left-- > 0) found.push(await identityOf());
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    assert.equal(found.length, CLONES);
    for (const property of Object.keys(found[0]!) as (keyof Identity)[]) {
      const values = new Set(found.map((identity) => identity[property]));
      assert.equal(values.size, CLONES, `${property} is the same in some: ${[...values].slice(0, 3).join(' ')}`);
    }
  });

  async function identityOf(): Promise<Identity> {
    const { id } = await client.runDetached(home.spec(TELL, { stdinOpen: true, memoryBytes: MEMORY_BYTES }));
    const lines: string[] = [];
    for await (const { data } of client.logs(id, { follow: true })) {
      if (lines.push(String(data).trim()) === 7) break;
    }
    const [bootId = '', uuid = '', random = '', mac = '', address = '', hostname = '', time = ''] = lines;
    const box = await client.inspect(id);
    assert.ok(box.cloned, 'a box was booted');
    assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 5, `the clock says ${time}`);
    assert.match(random, /^([0-9a-f]{2} ){23}[0-9a-f]{2}$/);
    assert.ok(box.addresses.includes(address), `${address} is not among ${box.addresses.join(', ')}`);
    const sessionKey = sessionKeyOf(id);
    await client.remove(id, { force: true });
    return { bootId, uuid, random, mac, hostname, sessionKey };
  }

  /** The key that opens the next session with a box's agent. */
  function sessionKeyOf(id: string): string {
    const database = new DatabaseSync(join(home.path, 'state.db'), { readOnly: true });
    try {
      const row = database.prepare('SELECT document FROM boxes WHERE id = ?').get(id);
      const [, key] = /"sessionKey":"([^"]+)"/.exec(String(row?.['document'])) ?? [];
      assert.ok(key, 'no session key is recorded');
      return key;
    } finally {
      database.close();
    }
  }
});

it('a clone has the machine id that it was given', async function () {
  this.timeout(120_000);
  const path = '/etc/machine-id';
  await using cli = await BoxCli.create();
  await cli.run(['template', 'create', '-m', '256m', '--network', 'none']);
  await stopSupervisor(cli.home);
  await using host = await BareHost.open(cli.home, { templates: true });
  for (let i = 0; i < 3; i++) {
    await using vm = await host.start({ clone: true });
    assert.equal(vm.running.origin, 'clone');
    const machineId = randomBytes(16).toString('hex');
    await vm.startContainer(['cat', path], {}, { machineId, files: [path] });
    const attachment = new ProcessAttachment(vm.running.session, AttachOpen.create({ containerId: 'box' }));
    let text = '';
    for await (const { data } of attachment.output()) text += data.toString('latin1');
    assert.equal(text, `${machineId}\n`);
  }
});
