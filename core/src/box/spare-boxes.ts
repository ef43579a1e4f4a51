import { availableParallelism } from 'node:os';
import { inject, injectable } from '../kernel/container.js';
import type { Image } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken } from '../service-tokens.js';
import { Reaper } from '../state/reaper.js';
import type { BackendChoice } from '../vm/backend-chooser.js';
import { Tracer } from '../vm/tracer.js';
import { drawBoxId, shortId } from './box.js';
import { BoxMachines, type BoxMachine } from './box-machines.js';
import { BoxNetworks } from './box-networks.js';
import { BoxRecords } from './box-records.js';
import { sizingOf, type BoxSpec } from './box-spec.js';
import { rehearse } from './rehearsal.js';
import { Spare } from './spare.js';

/** How long a spare is kept for a box that may come, milliseconds. */
const KEPT_MS = 300_000;
/** A host gives this many times a spare's memory only where it has it to give. */
const ROOM = 4;

/** A kind of box: those of one kind can take each other's spare. */
interface Kind {
  readonly backend: BackendChoice;
  readonly image: Image;
  readonly spec: Pick<BoxSpec, 'network' | 'nanoCpus' | 'memoryBytes' | 'options'>;
}

/**
 * Keeps one machine ready for the next box of the kind that was started last: a clone that has the image and a disk of its
 * own, has rehearsed to make a container, and stands still. No workload was ever in it.
 */
@injectable()
export class SpareBoxes implements AsyncDisposable {
  #current: { readonly key: string; readonly spare: Spare; readonly timer: NodeJS.Timeout } | undefined;
  /** What to make as soon as there is a CPU for it. */
  #wanted: Kind | undefined;
  #starts = 0;
  readonly #failed = new Set<string>();
  #closed = false;

  constructor(
    private readonly machines: BoxMachines,
    private readonly records: BoxRecords,
    private readonly networks: BoxNetworks,
    private readonly reaper: Reaper,
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** The spare for a box, which is the caller's from now on. Another one will be made in its place. */
  take({ spec, image, backend }: Kind & { readonly spec: BoxSpec }): Spare | undefined {
    const bare = (spec.volumes ?? []).length === 0 && spec.storageBytes === undefined;
    const ordinary = bare && (spec.ports ?? []).length === 0 && spec.hostname === undefined;
    const current = this.#current;
    if (!ordinary || current?.key !== this.#keyOf({ spec, image, backend })) return undefined;
    clearTimeout(current.timer);
    this.#current = undefined;
    this.wish({ spec, image, backend });
    return current.spare;
  }

  /** Says that a box is being started: a spare is made beside it where that leaves a CPU for it. */
  starting(): Disposable {
    this.#starts++;
    this.#settle();
    return {
      [Symbol.dispose]: () => {
        this.#starts--;
        this.#settle();
      },
    };
  }

  /** Says that a box of a kind was started from a template, so that one more may be. */
  wish(kind: Kind): void {
    const { image, backend, spec } = kind;
    const { network, memoryBytes } = spec;
    this.#wanted = {
      image,
      backend,
      spec: {
        ...(network !== undefined && { network }),
        nanoCpus: sizingOf(spec).vcpus * 1e9,
        ...(memoryBytes !== undefined && { memoryBytes }),
      },
    };
  }

  /** Ends the spare, if there is one. */
  async drop(): Promise<void> {
    this.#wanted = undefined;
    const current = this.#current;
    if (!current) return;
    clearTimeout(current.timer);
    this.#current = undefined;
    await this.#end(current.spare);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.drop();
  }

  #settle(): void {
    const kind = this.#wanted;
    if (!kind || this.#starts >= availableParallelism() || this.#closed) return;
    this.#wanted = undefined;
    const key = this.#keyOf(kind);
    if (this.#current?.key === key || this.#failed.has(key) || !hasRoom(kind)) return;
    const previous = this.#current;
    clearTimeout(previous?.timer);
    const id = drawBoxId();
    const free = async (): Promise<void> => void (await this.reaper.reap(id));
    const spare = new Spare(id, (signal) => this.#make(id, kind, signal), free);
    const timer = setTimeout(() => void this.drop(), KEPT_MS).unref();
    this.#current = { key, spare, timer };
    void this.#follow(key, spare);
    if (previous) void this.#end(previous.spare);
  }

  async #make(id: string, { backend, image, spec }: Kind, signal: AbortSignal): Promise<BoxMachine> {
    this.records.noteSpare(id, this.machines.resources(id));
    const owner = { id, image, spec, tracer: new Tracer() };
    const machine = await this.machines.make(owner, { backend, clone: true, scratchKept: false, signal });
    try {
      await rehearse(machine, { id, hostname: shortId(id), image }, signal);
      await machine.vm.vm.pause({ signal });
      return machine;
    } catch (error) {
      await machine.end();
      throw error;
    }
  }

  /** Gives up a kind whose spare cannot be made. */
  async #follow(key: string, spare: Spare): Promise<void> {
    const { error } = await spare.settled;
    if (this.#current?.spare !== spare) return;
    if (error === undefined) return;
    this.logger.warn({ box: spare.id, error }, 'a machine could not be made ahead');
    this.#failed.add(key);
    await this.drop();
  }

  async #end(spare: Spare): Promise<void> {
    try {
      await spare.end();
    } catch (error) {
      this.logger.error({ box: spare.id, error }, 'a machine that was made ahead could not be freed');
    }
  }

  #keyOf({ backend, image, spec }: Kind): string {
    const { vcpus, memoryBytes } = sizingOf(spec);
    return JSON.stringify([backend.hypervisor.name, image.id, vcpus, memoryBytes, this.networks.nameOf(spec, backend)]);
  }
}

function hasRoom({ spec }: Kind): boolean {
  return process.availableMemory() > ROOM * sizingOf(spec).memoryBytes;
}
