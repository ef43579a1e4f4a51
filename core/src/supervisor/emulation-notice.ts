import type { Operation } from '../ports/operation.js';
import { injectable } from '../kernel/container.js';
import { BackendChooser } from '../vm/backend-chooser.js';

/** Says, the first time that a box gets a backend without hardware virtualisation, what that means. */
@injectable()
export class EmulationNotice {
  #said = false;

  constructor(private readonly backends: BackendChooser) {}

  async for(backend: string | undefined, operation: Operation): Promise<string[]> {
    if (this.#said) return [];
    const { hypervisor, probe } = await this.backends.choose(backend, operation);
    if (probe.acceleration !== 'emulation') return [];
    this.#said = true;
    return [
      `${hypervisor.name} emulates the CPU in software here: a VM boundary still, but slower ` +
        '("a3s-box info" says why)',
    ];
  }
}
