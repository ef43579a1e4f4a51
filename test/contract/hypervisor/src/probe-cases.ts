import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Fixture, HypervisorSuiteOptions } from './fixture.js';

export function probeCases(current: () => Fixture, options: HypervisorSuiteOptions): void {
  describe('probe', () => {
    it('says whether, why and within which limits', async () => {
      const { hypervisor, signal } = current();
      const probe = await hypervisor.probe({ signal });
      assert.equal(probe.usable, true, probe.reason);
      assert.ok(probe.reason.length > 0);
      assert.notEqual(probe.acceleration, 'none');
      const { maxVcpus, minMemoryBytes, maxMemoryBytes } = probe.limits;
      assert.ok(maxVcpus >= 1 && minMemoryBytes > 0 && minMemoryBytes <= maxMemoryBytes);
    });

    it('declares its capabilities', async () => {
      const { hypervisor, signal } = current();
      const { capabilities } = await hypervisor.probe({ signal });
      assert.deepEqual([...capabilities].sort(), [...options.capabilities].sort());
    });

    it('is cancelled', async () => {
      const { hypervisor } = current();
      await assert.rejects(hypervisor.probe({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
    });

    it('has a lower-case name', () => {
      assert.match(current().hypervisor.name, /^[a-z0-9-]+$/);
    });
  });
}
