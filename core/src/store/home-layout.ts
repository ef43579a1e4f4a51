import { join } from 'node:path';
import { hostPlatform } from '../platform/host-platform.js';
import type { HostPlatform } from '../platform/platform.js';

/** Characters of a box's id that its run directory is named by. */
export const SHORT_ID_LENGTH = 12;

/** Where everything lies below one A3S_BOX_HOME. The directories have mode 0700. */
export class HomeLayout {
  /** @param root absolute path of the home */
  constructor(
    readonly root: string,
    readonly platform: HostPlatform = hostPlatform(),
  ) {}

  /** Sockets: short-lived, short names. */
  get run(): string {
    return join(this.root, 'run');
  }

  /** Where the supervisor listens: a Unix socket, or a named pipe. */
  get supervisorSocket(): string {
    return this.platform.endpoint(join(this.run, 'supervisor.sock'));
  }

  /** Process id and start time of the supervisor that took the lock last. */
  get supervisorPid(): string {
    return join(this.run, 'supervisor.pid');
  }

  /** Held by the one supervisor of this home for as long as it lives. */
  get supervisorLock(): string {
    return join(this.root, 'supervisor.lock');
  }

  get supervisorLog(): string {
    return join(this.root, 'supervisor.log');
  }

  /** How registries are spoken to; need not exist. */
  get registries(): string {
    return join(this.root, 'registries.json');
  }

  /** Who must have signed images; need not exist. */
  get imagePolicy(): string {
    return join(this.root, 'image-policy.yaml');
  }

  /** Certificates of registries, in Docker's layout; need not exist. */
  get registryCertificates(): string {
    return join(this.root, 'certs.d');
  }

  /** Kernel, initramfs and scratch template, by digest. */
  get assets(): string {
    return join(this.root, 'assets');
  }

  /** Booted guests that boxes are cloned from, by key. */
  get templates(): string {
    return join(this.root, 'templates');
  }

  template(key: string): string {
    return join(this.templates, key);
  }

  /** Where a template is put together. */
  templateInWork(key: string): string {
    return join(this.templates, `${key}.new`);
  }

  /** Run directory of the VMM that a template is made with; as short as a box's. */
  templateRun(key: string): string {
    return join(this.run, `t-${key.slice(0, SHORT_ID_LENGTH - 2)}`);
  }

  /** State directories of plugins. */
  get plugins(): string {
    return join(this.root, 'plugins');
  }

  /** What is known of boxes, and what they have on this host. */
  get state(): string {
    return join(this.root, 'state.db');
  }

  /** Who asked for what; older files have `.1` and so on after it. */
  get auditLog(): string {
    return join(this.root, 'audit.log');
  }

  /** Disks and logs of boxes. */
  get boxes(): string {
    return join(this.root, 'boxes');
  }

  /** Boxes as they were at a moment. */
  get snapshots(): string {
    return join(this.root, 'snapshots');
  }

  /** @param id of the snapshot */
  snapshot(id: string): string {
    return join(this.snapshots, id);
  }

  /** Run directory of one box. @param id full or short id */
  boxRun(id: string): string {
    return join(this.run, id.slice(0, SHORT_ID_LENGTH));
  }

  /** What a box's VMM makes. @param id full or short id */
  boxVm(id: string): string {
    return join(this.boxRun(id), 'vm');
  }

  /** What a box's network makes. @param id full or short id */
  boxNetwork(id: string): string {
    return join(this.boxRun(id), 'net');
  }

  /** What serves a box the host's files. @param id full or short id */
  boxShare(id: string): string {
    return join(this.boxRun(id), 'share');
  }

  /** All volumes. */
  get volumes(): string {
    return join(this.root, 'volumes');
  }

  /** Directory of one volume. */
  volume(name: string): string {
    return join(this.volumes, name);
  }

  /** Directory of one box: what it keeps until it is removed. @param id full id */
  box(id: string): string {
    return join(this.boxes, id);
  }

  /** @param id full id */
  boxScratch(id: string): string {
    return join(this.box(id), 'scratch.img');
  }

  /** Directory of what its main process wrote. @param id full id */
  boxLog(id: string): string {
    return join(this.box(id), 'log');
  }

  /** The longest socket path that this home will need, in bytes. */
  get longestSocketPath(): number {
    return Buffer.byteLength(join(this.boxNetwork('f'.repeat(SHORT_ID_LENGTH)), 'network.sock'));
  }
}
