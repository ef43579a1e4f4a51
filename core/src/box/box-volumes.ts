import { closeSync } from 'node:fs';
import { BoxError } from '../errors/box-error.js';
import { Volume as GuestVolume } from '../gen/a3s/box/agent/v1/agent.js';
import { inject, injectable } from '../kernel/container.js';
import type { DiskImage, DiskSlot, ProcessIdentity } from '../ports/hypervisor.js';
import type { Image } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import { LoggerToken, ShareProgramToken } from '../service-tokens.js';
import { BoxTable } from '../state/box-table.js';
import { removeTree } from '../state/remove-tree.js';
import { HomeLayout } from '../store/home-layout.js';
import type { BackendChoice } from '../vm/backend-chooser.js';
import { ShareServer, type ShareEntry } from '../volumes/share-server.js';
import { openShareSource } from '../volumes/share-source.js';
import type { PlacedVolume, VolumeMount } from '../volumes/volume-mount.js';
import { VolumeRecords } from '../volumes/volume-records.js';
import { VolumeService } from '../volumes/volume-service.js';
import type { StoredVolume } from '../volumes/volume-table.js';
import type { BoxSpec } from './box-spec.js';

/** Slots that volumes with a size can be in. */
const SLOTS = ['disk0', 'disk1', 'disk2'] as const satisfies readonly DiskSlot[];

/** What a box is given of the host's. */
export interface AttachedVolumes {
  /** Where each mount's source is for the guest. */
  readonly placed: readonly PlacedVolume[];
  /** The same, as the guest is told. */
  readonly guest: readonly GuestVolume[];
  /** Where the VMM connects to; absent without a share. */
  readonly shareSocket?: string;
  readonly disks: Readonly<Partial<Record<DiskSlot, DiskImage>>>;
  /** Resolves with what the server said last when it is gone. Absent without a share. */
  readonly gone?: Promise<string>;
  /** The container was made: volumes hold what they take from the image. */
  filled(): void;
  /** Ends the server. Idempotent. */
  release(): Promise<void>;
  /** Lets go of the server, which goes on. */
  leave(): void;
}

interface VolumeOwner {
  /** Full id of the box, or of who looks at its files. */
  readonly id: string;
  readonly image: Pick<Image, 'id'> & { readonly config?: Pick<Image['config'], 'user'> };
  readonly spec: Pick<BoxSpec, 'volumes' | 'user'>;
}

export interface AttachOptions {
  /** Is told of the file server before it does anything. */
  readonly onLaunch: (process: ProcessIdentity) => void;
  /** For who gives disks up when another wants them: resolves when that is done. Absent: they are kept. */
  readonly giveUp?: () => Promise<void>;
}

/** Who has a disk. */
interface Holder {
  readonly id: string;
  readonly giveUp?: () => Promise<void>;
}

/** A mount with where it is for the guest and what it is on the host. */
interface Source extends PlacedVolume {
  /** Absent for a bind. */
  readonly volume?: StoredVolume;
}

/** Gives boxes their volumes and binds. */
@injectable()
export class BoxVolumes {
  /** Disks in use by boxes of this supervisor that start or run, and volumes that one of them fills: by name, the box. */
  readonly #disks = new Map<string, Holder>();
  readonly #filling = new Map<string, string>();

  constructor(
    private readonly volumes: VolumeService,
    private readonly records: VolumeRecords,
    private readonly boxes: BoxTable,
    private readonly home: HomeLayout,
    @inject(ShareProgramToken) private readonly program: { find(): Promise<string> },
    @inject(LoggerToken) private readonly logger: Logger,
  ) {}

  /** @throws UNSUPPORTED for what the backend has no device for @throws INVALID_ARGUMENT for too many disks */
  check(mounts: readonly VolumeMount[], { hypervisor, probe }: Pick<BackendChoice, 'hypervisor' | 'probe'>): void {
    const sources = this.#place(mounts, (name) => this.#known(name));
    if (!sources.some(({ place }) => 'share' in place) || probe.capabilities.has('share')) return;
    throw new BoxError('UNSUPPORTED', `backend "${hypervisor.name}" shares no directories of the host`, {
      hint: 'leave volumes and binds out, use volumes with a size (volume create --opt size=), or choose another --backend',
    });
  }

  /**
   * Makes what a box's mounts come from. Failed: nothing runs.
   *
   * @returns undefined for a box without volumes
   * @throws NOT_FOUND, PERMISSION_DENIED, UNSUPPORTED for a bind's source @throws CONFLICT for a disk that another box has
   * @throws BACKEND_UNAVAILABLE without a file server @throws CONFINEMENT_FAILED, DISK_FULL
   */
  async attach(owner: VolumeOwner, { onLaunch, giveUp }: AttachOptions): Promise<AttachedVolumes | undefined> {
    const { id, spec } = owner;
    const holder = { id, ...(giveUp && { giveUp }) };
    const sources = this.#place(spec.volumes ?? [], (name) => this.records.get(name));
    if (sources.length === 0) return undefined;
    const forget = (): void => {
      for (const [name, by] of this.#disks) if (by === holder) this.#disks.delete(name);
      for (const [name, by] of this.#filling) if (by === id) this.#filling.delete(name);
    };
    try {
      const disks = await this.#takeDisks(holder, sources);
      const fills = await this.#beginFilling(id, sources);
      const server = await this.#startServer(owner, sources, onLaunch);
      return {
        placed: sources,
        guest: sources.map((source) => guestVolume(source, fills)),
        disks,
        ...(server && { shareSocket: server.socket, gone: server.gone }),
        filled: () => {
          for (const name of this.#settled(sources, fills)) this.records.noteFilling(name, 'done');
          for (const name of fills) this.#filling.delete(name);
        },
        release: async () => {
          await server?.kill();
          forget();
        },
        leave: () => server?.leave(),
      };
    } catch (error) {
      forget();
      throw error;
    }
  }

  #place(mounts: readonly VolumeMount[], find: (name: string) => StoredVolume | undefined): Source[] {
    const slots = new Map<string, string>();
    return mounts.map((mount, index) => {
      const volume = mount.kind === 'volume' ? find(mount.source) : undefined;
      if (volume?.sizeBytes === undefined) return { mount, place: { share: `v${index}` }, ...(volume && { volume }) };
      const slot = slots.get(volume.name) ?? SLOTS[slots.size];
      if (slot === undefined) {
        throw new BoxError('INVALID_ARGUMENT', `a box has at most ${SLOTS.length} volumes with a size`, {
          hint: 'leave one out, or use volumes without a size',
        });
      }
      slots.set(volume.name, slot);
      return { mount, place: { slot }, volume };
    });
  }

  #known(name: string): StoredVolume | undefined {
    return this.records.list().find((volume) => volume.name === name);
  }

  /** A disk has one box at a time: two kernels that mount it would destroy it. */
  async #takeDisks(holder: Holder, sources: readonly Source[]): Promise<Partial<Record<DiskSlot, DiskImage>>> {
    const disks: Partial<Record<DiskSlot, DiskImage>> = {};
    // All in the same order, so that nobody waits for who waits for him.
    for (const { volume, place, mount } of sources.toSorted(byVolume)) {
      if (!volume || !('slot' in place)) continue;
      await this.#takeDisk(volume.name, holder);
      const slot = place.slot as DiskSlot;
      const readOnly = mount.readOnly && disks[slot]?.readOnly !== false;
      disks[slot] = { path: await this.volumes.prepare(volume), format: 'raw', readOnly };
    }
    return disks;
  }

  async #takeDisk(name: string, holder: Holder): Promise<void> {
    const other = this.#disks.get(name);
    if (other !== holder) await other?.giveUp?.();
    const user = this.#disks.get(name)?.id ?? this.#runningUser(name, holder.id);
    if (user !== undefined && user !== holder.id) {
      throw new BoxError('CONFLICT', `volume ${name} is in use by box ${user.slice(0, 12)}`, {
        hint: 'a volume with a size has one box at a time: stop that box, or use a volume without a size',
      });
    }
    this.#disks.set(name, holder);
  }

  #runningUser(name: string, except: string): string | undefined {
    const has = (mounts: readonly VolumeMount[]): boolean => mounts.some((mount) => mount.source === name);
    return this.boxes
      .list()
      .find(
        ({ id, state, spec }) => id !== except && ['running', 'stopping'].includes(state) && has(spec.volumes ?? []),
      )?.id;
  }

  /**
   * What of the volumes is to be filled from the image. What a fill that was cut off has left goes first, and nothing that
   * a box or the host's user put there does.
   */
  async #beginFilling(id: string, sources: readonly Source[]): Promise<Set<string>> {
    const fills = new Set<string>();
    for (const { volume, mount } of sources) {
      if (!volume || mount.noCopy === true || mount.readOnly) continue;
      const { filling, name } = this.records.get(volume.name);
      if (filling === 'done' || this.#filling.has(name)) continue;
      const isOthers = filling === undefined && (await this.volumes.holdsFiles(volume));
      if (isOthers || this.#runningUser(name, id) !== undefined) {
        this.records.noteFilling(name, 'done');
        continue;
      }
      this.#filling.set(name, id);
      if (filling === 'begun') await removeTree(this.volumes.placeOf(volume));
      await this.volumes.prepare(volume);
      this.records.noteFilling(name, 'begun');
      fills.add(name);
    }
    return fills;
  }

  /**
   * What is not to be filled any more once a box runs: what it filled, what it writes to while another box fills it, and
   * disks, of which the host cannot see what is on them.
   */
  #settled(sources: readonly Source[], fills: ReadonlySet<string>): string[] {
    return sources
      .filter(({ mount }) => !mount.readOnly)
      .flatMap(({ volume }) => (volume ? [this.records.get(volume.name)] : []))
      .filter(({ name, filling, sizeBytes }) => fills.has(name) || filling === 'begun' || (sizeBytes && !filling))
      .map(({ name }) => name);
  }

  async #startServer(
    { id, image, spec }: VolumeOwner,
    sources: readonly Source[],
    onLaunch: (process: ProcessIdentity) => void,
  ): Promise<ShareServer | undefined> {
    const shared = sources.filter(({ place }) => 'share' in place);
    if (shared.length === 0) return undefined;
    const entries: ShareEntry[] = [];
    try {
      for (const { mount, place, volume } of shared) {
        const path = volume ? await this.volumes.prepare(volume) : mount.source;
        const source = await openShareSource(path, mount.makeSource === true);
        entries.push({ ...source, name: 'share' in place ? place.share : '', readOnly: mount.readOnly });
      }
      const server = await ShareServer.start({
        program: await this.program.find(),
        directory: this.home.boxShare(id),
        entries,
        owner: ownerOf(spec.user ?? image.config?.user),
        onLaunch,
      });
      void server.gone.then((said) => this.logger.info({ box: id, said }, 'the file server of a box has ended'));
      return server;
    } finally {
      for (const { descriptor } of entries) closeSync(descriptor);
    }
  }
}

function guestVolume({ mount, place, volume }: Source, fills: ReadonlySet<string>): GuestVolume {
  const fillFrom = volume && fills.has(volume.name) ? mount.target : '';
  if ('share' in place) return GuestVolume.create({ share: place.share, fillFrom });
  return GuestVolume.create({ slot: place.slot, fillFrom, readOnly: mount.readOnly });
}

function byVolume({ volume: one }: Source, { volume: other }: Source): number {
  return (one?.name ?? '') < (other?.name ?? '') ? -1 : 1;
}

/** Who a box's user is, where that is said by number. Names are the image's to know. */
function ownerOf(user: string | undefined): { readonly uid: number; readonly gid: number } {
  const match = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(user ?? '');
  return { uid: Number(match?.[1] ?? 0), gid: Number(match?.[2] ?? 0) };
}
