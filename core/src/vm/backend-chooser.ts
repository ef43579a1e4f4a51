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
  readonly #probes = new Map<Hypervisor, Promise<HypervisorProbe>>();

  /**
   * @param hypervisors all providers of the port, in the distribution's order
   * @param standard the one that the distribution names, if it does
   */
  constructor(
    @inject(HypervisorsToken) private readonly hypervisors: readonly Hypervisor[],
    @inject(DefaultBackendToken) private readonly standard: { readonly name: string | undefined },
  ) {}

  /** Every backend with its probe. Each is probed once per process, and again while none is usable. */
  async probeAll(operation: Operation): Promise<readonly ProbedBackend[]> {
    const probes = await this.#probe(this.hypervisors, operation);
    if (!probes.some(({ probe }) => probe.usable)) this.#probes.clear();
    return probes;
  }

  /** The backend of that name, whether it can start a VM now or not. */
  named(name: string): Hypervisor | undefined {
    return this.hypervisors.find((hypervisor) => hypervisor.name === name);
  }

  /**
   * One that is named is the only one to be probed.
   *
   * @param name the backend that the user asked for
   * @throws BACKEND_UNAVAILABLE with the reason of each backend
   */
  async choose(name: string | undefined, options: ChoiceOptions): Promise<BackendChoice> {
    const { architecture = hostArchitecture(), signal } = options;
    const wanted = name ?? this.standard.name;
    const candidates = wanted === undefined ? this.hypervisors : [this.#find(wanted)];
    const probes = probesFor(architecture, await this.#probe(candidates, { signal }));
    // What is missing, for other guests too, may be installed until the next time.
    if (!probes.some(({ probe }) => probe.usable)) this.#forget(candidates);
    if (wanted === undefined) return { ...chooseBest(probes), architecture };
    const reason = name === undefined ? 'the distribution names it' : 'asked for by name';
    return { ...usableOf(probes), reason, architecture };
  }

  #find(name: string): Hypervisor {
    const found = this.named(name);
    if (found !== undefined) return found;
    const names = this.hypervisors.map((hypervisor) => hypervisor.name).join(', ') || 'none';
    throw new BoxError('BACKEND_UNAVAILABLE', `backend "${name}" is not known`, { hint: `known backends: ${names}` });
  }

  #probe(hypervisors: readonly Hypervisor[], operation: Operation): Promise<ProbedBackend[]> {
    return Promise.all(
      hypervisors.map(async (hypervisor) => ({ hypervisor, probe: await this.#probeOnce(hypervisor, operation) })),
    );
  }

  /** Calls at the same time share the work; where the first of them gives up, the next goes on. */
  async #probeOnce(hypervisor: Hypervisor, operation: Operation): Promise<HypervisorProbe> {
    for (;;) {
      const others = this.#probes.get(hypervisor);
      const answer = others ?? hypervisor.probe(operation);
      this.#probes.set(hypervisor, answer);
      try {
        return await answer;
      } catch (error) {
        if (this.#probes.get(hypervisor) === answer) this.#probes.delete(hypervisor);
        if (others === undefined || operation.signal.aborted) throw error;
      }
    }
  }

  #forget(hypervisors: readonly Hypervisor[]): void {
    for (const hypervisor of hypervisors) this.#probes.delete(hypervisor);
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

/** The one that was named. */
function usableOf([found]: readonly ProbedBackend[]): ProbedBackend {
  const { hypervisor, probe } = found as ProbedBackend;
  if (probe.usable) return { hypervisor, probe };
  throw new BoxError('BACKEND_UNAVAILABLE', `backend "${hypervisor.name}" cannot be used here: ${probe.reason}`, {
    hint: 'run "a3s-box info" for all backends and why',
  });
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
