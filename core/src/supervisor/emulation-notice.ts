import { Facts } from '../state/facts.js';
import type { Operation } from '../ports/operation.js';
import { injectable } from '../kernel/container.js';
import type { BoxSpec } from '../box/box-spec.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import { architectureOf } from '../vm/guest-architecture.js';

/** When it was said in this home. */
const FACT = 'emulation-notice';

/** Says, the first time that a box gets a backend without hardware virtualisation, what that means. */
@injectable()
export class EmulationNotice {
  constructor(
    private readonly backends: BackendChooser,
    private readonly facts: Facts,
  ) {}

  async for({ backend, platform }: Pick<BoxSpec, 'backend' | 'platform'>, operation: Operation): Promise<string[]> {
    if (this.facts.get(FACT) !== undefined) return [];
    const { hypervisor, probe } = await this.backends.choose(backend, {
      ...operation,
      architecture: architectureOf(platform),
    });
    if (probe.acceleration !== 'emulation') return [];
    this.facts.set(FACT, new Date().toISOString());
    return [
      `${hypervisor.name} emulates the CPU in software here: a VM boundary still, but slower ` +
        '("a3s-box info" says why)',
    ];
  }
}
