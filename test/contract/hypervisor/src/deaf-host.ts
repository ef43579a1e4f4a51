/** A host that stops reading what its guest says, and goes away. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Vm } from '@a3s-box/core';
import type { Fixture } from './fixture.js';
import { GuestConnection } from './guest-connection.js';

/** Between two looks at a console, which does not tell of what is new on it. */
const CONSOLE_PAUSE_MS = 20;
/** A guest that booted pours out what its port takes in well under this. */
const POUR_LIMIT_MS = 15_000;

/**
 * Has the guest say as much as its port takes, reads none of it, and goes.
 * @param before what happens last before it goes
 * @returns the VM, adopted
 */
export async function abandon(vm: Vm, fixture: Fixture, before: () => Promise<void>): Promise<Vm> {
  await vm.agent.listening;
  const connection = connect(vm.agent.socket).pause();
  connection.write('pour\n');
  await poured(vm);
  await before();
  connection.destroy();
  await vm.close();
  return fixture.keep(await fixture.hypervisor.adopt(vm.record, { signal: fixture.signal }));
}

/** A VMM that is held up by what is not read may show nothing of it on the console; then a while has to be enough. */
async function poured(vm: Vm): Promise<void> {
  const end = Date.now() + POUR_LIMIT_MS;
  while (Date.now() < end && !(await vm.consoleTail(1024)).includes('poured')) await delay(CONSOLE_PAUSE_MS);
}

/** Fails unless the guest answers, after what an earlier host did not read. */
export async function assertServes(vm: Vm): Promise<void> {
  using guest = await GuestConnection.open(vm.agent);
  let answer = await guest.ask('ping next');
  while (answer.startsWith('unread')) answer = await guest.next();
  assert.equal(answer, 'pong next');
}
