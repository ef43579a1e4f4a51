import { randomBytes } from 'node:crypto';
import { BoxError } from '../../errors/box-error.js';
import { AgentService, StatsRequest } from '../../gen/a3s/box/agent/v1/agent.js';
import { AgentSession } from '../../guest/agent-session.js';
import { FRESH_BOOT_SESSION_KEY, SESSION_KEY_BYTES } from '../../guest/session-opening.js';
import type { TemplateSpec } from '../../ports/hypervisor.js';

/** Clocks that go on rightly in a clone. A guest that fell back to counting its timer's ticks would be late for ever. */
const GOOD_CLOCKS: readonly string[] = ['tsc', 'kvm-clock'];

/** Draws the key for the first sessions of a template's clones. */
export function drawSessionKey(): Buffer {
  return randomBytes(SESSION_KEY_BYTES);
}

/**
 * Waits for a template's guest and tells it what it is.
 * @param sessionKey will open the first session of each clone, and nothing else does
 * @throws TEMPLATE_UNUSABLE for a guest whose clock is not to be relied on, AGENT_UNREACHABLE when the VM ends first
 */
export function prepareGuest(sessionKey: Buffer, given: AbortSignal): TemplateSpec['prepare'] {
  return async ({ agent, exited }) => {
    const ended = new AbortController();
    void exited.then(() => ended.abort());
    const signal = AbortSignal.any([given, ended.signal]);
    const key = FRESH_BOOT_SESSION_KEY;
    const options = { ...agent, key, nextKey: sessionKey, signal, template: true };
    using session = await AgentSession.open(options);
    const { clockSource } = session.hello;
    if (!GOOD_CLOCKS.includes(clockSource)) {
      throw new BoxError('TEMPLATE_UNUSABLE', `the guest's clock source is ${clockSource}`);
    }
    // The first call after the hello puts its key in force and the one that everybody knows out of it.
    await session.call(AgentService.stats, StatsRequest.create(), signal);
  };
}
