import { BoxError } from '../errors/box-error.js';
import { inject, injectable } from '../kernel/container.js';
import type { GuestArchitecture, Hypervisor, HypervisorProbe } from '../ports/hypervisor.js';
import type { Operation } from '../ports/operation.js';
import { DefaultBackendToken, HypervisorsToken } from '../service-tokens.js';
import { hostArchitecture } from './guest-architecture.js';

/** A backend with the answer of its probe. */
export interface ProbedBackend {
  readonly hypervisor: Hypervisor;
  readonly probe: HypervisorProbe;
}

export interface BackendChoice extends ProbedBackend {
  /** One sentence: why this one. */
  readonly reason: string;
  /** Of the guests; the probe is for these. */
  readonly architecture: GuestArchitecture;
}

export interface ChoiceOptions extends Operation {
  /** Of the guest. Default: the host's. */
  readonly architecture?: GuestArchitecture;
}

/**
 * Chooses the backend of a box. The order is that of the distribution; hardware virtualisation goes before software
 * emulation. A backend that the user or the distribution names is never replaced by another.
 */
@injectable()
export class BackendChooser {
  #probes: Promise<readonly ProbedBackend[]> | undefined;

  /**
   * @param hypervisors all providers of the port, in the distribution's order
   * @param standard the one that the distribution names, if it does
   */
  constructor(
    @inject(HypervisorsToken) private readonly hypervisors: readonly Hypervisor[],
    @inject(DefaultBackendToken) private readonly standard: { readonly name: string | undefined },
  ) {}

  /** Every backend with its probe. Probed once per process, and again while none is usable. */
  async probeAll(operation: Operation): Promise<readonly ProbedBackend[]> {
    this.#probes ??= Promise.all(
      this.hypervisors.map(async (hypervisor) => ({ hypervisor, probe: await hypervisor.probe(operation) })),
    );
    try {
      const probes = await this.#probes;
      if (!probes.some(({ probe }) => probe.usable)) this.#probes = undefined;
      return probes;
    } catch (error) {
      this.#probes = undefined;
      throw error;
    }
  }

  /** The backend of that name, whether it can start a VM now or not. */
  named(name: string): Hypervisor | undefined {
    return this.hypervisors.find((hypervisor) => hypervisor.name === name);
  }

  /**
   * @param name the backend that the user asked for
   * @throws BACKEND_UNAVAILABLE with the reason of each backend
   */
  async choose(name: string | undefined, options: ChoiceOptions): Promise<BackendChoice> {
    const { architecture = hostArchitecture(), signal } = options;
    const probes = probesFor(architecture, await this.probeAll({ signal }));
    // What is missing for other guests may be installed until the next time.
    if (!probes.some(({ probe }) => probe.usable)) this.#probes = undefined;
    return { ...this.#choose(probes, name), architecture };
  }

  #choose(probes: readonly ProbedBackend[], name: string | undefined): Chosen {
    if (name !== undefined) return { ...findNamed(probes, name), reason: 'asked for by name' };
    const standard = this.standard.name;
    if (standard === undefined) return chooseBest(probes);
    return { ...findNamed(probes, standard), reason: 'the distribution names it' };
  }
}

/** The backends with their answers for guests of an architecture. */
function probesFor(architecture: GuestArchitecture, probes: readonly ProbedBackend[]): readonly ProbedBackend[] {
  if (architecture === hostArchitecture()) return probes;
  return probes.map(({ hypervisor, probe }) => {
    const reason = `it runs no ${architecture} guests on this host`;
    const none: HypervisorProbe = { ...probe, usable: false, reason, acceleration: 'none' };
    return { hypervisor, probe: probe.foreign?.[architecture] ?? none };
  });
}

type Chosen = Omit<BackendChoice, 'architecture'>;

function findNamed(probes: readonly ProbedBackend[], name: string): ProbedBackend {
  const found = probes.find(({ hypervisor }) => hypervisor.name === name);
  if (!found) {
    const names = probes.map(({ hypervisor }) => hypervisor.name).join(', ') || 'none';
    throw new BoxError('BACKEND_UNAVAILABLE', `backend "${name}" is not known`, { hint: `known backends: ${names}` });
  }
  if (!found.probe.usable) {
    throw new BoxError('BACKEND_UNAVAILABLE', `backend "${name}" cannot be used here: ${found.probe.reason}`, {
      hint: 'run "a3s-box info" for all backends and why',
    });
  }
  return found;
}

function chooseBest(probes: readonly ProbedBackend[]): Chosen {
  const usable = probes.filter(({ probe }) => probe.usable);
  const best = usable.find(({ probe }) => probe.acceleration === 'hardware') ?? usable[0];
  if (best) return { ...best, reason: best.probe.reason };
  const reasons = probes.map(({ hypervisor, probe }) => `${hypervisor.name}: ${probe.reason}`);
  throw new BoxError('BACKEND_UNAVAILABLE', 'no backend can run a virtual machine here', {
    hint: reasons.join('; ') || 'no backend is installed',
    details: { reasons },
  });
}
