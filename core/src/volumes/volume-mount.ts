import { BoxError } from '../errors/box-error.js';
import type { ImageConfig } from '../ports/image-store.js';

/** Something of the host's that a box sees at a place of its own. */
export interface VolumeMount {
  /** `bind`: a directory or file of the host. `volume`: one that is kept by name. */
  readonly kind: 'bind' | 'volume';
  /** Absolute path on the host; or a volume's name, empty for one that is made for the box. */
  readonly source: string;
  /** Absolute path in the box. */
  readonly target: string;
  readonly readOnly: boolean;
  /** Of a bind: make a directory where there is nothing on the host. Without it that is an error. */
  readonly makeSource?: boolean;
  /** Of a volume: leave it empty when it is new, in place of copying what the image has there. */
  readonly noCopy?: boolean;
  /** Of a volume: it was made for the box, and can go with it. */
  readonly anonymous?: boolean;
}

/** One of `mounts` of an OCI config. */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** Where a volume lies for the guest: on the share by name, or on a disk. */
export type VolumePlace = { readonly share: string } | { readonly slot: string };

export interface PlacedVolume {
  readonly mount: VolumeMount;
  readonly place: VolumePlace;
}

/** As many as the launcher of the file server takes. */
const MOST = 128;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/;
const KEPT = ['/proc', '/sys/fs/cgroup'] as const;

/** @throws INVALID_ARGUMENT for mounts that cannot be, whatever the host has */
export function checkVolumeMounts(mounts: readonly VolumeMount[]): void {
  if (mounts.length > MOST) fail(`${mounts.length} mounts are too many`, `give at most ${MOST}`);
  const taken = new Set<string>();
  for (const mount of mounts) {
    const target = checkTarget(mount.target);
    if (taken.has(target)) fail(`duplicate mount point: ${target}`, 'leave one out');
    taken.add(target);
    if (mount.kind === 'bind') checkPath(mount.source, 'bind source');
    else if (mount.source !== '') checkVolumeName(mount.source);
  }
}

/** @throws INVALID_ARGUMENT */
export function checkVolumeName(name: string): void {
  if (NAME.test(name)) return;
  fail(
    `"${name}" includes invalid characters for a volume name`,
    'use letters, digits, "_", "." and "-", at least two, starting with a letter or digit; for a directory of the host ' +
      'give an absolute path',
  );
}

/**
 * The mounts of a box with what its image asks for: each of the image's volumes that nothing else is mounted on gets one
 * of its own. Volumes without a name are named by `draw`. `others` are the places of mounts that are no volumes.
 */
export function settleMounts(
  asked: readonly VolumeMount[],
  image: Pick<ImageConfig, 'volumes'>,
  draw: () => string,
  others: readonly string[] = [],
): readonly VolumeMount[] {
  const taken = new Set([...asked.map(({ target }) => target), ...others].map(normalPath));
  const own = image.volumes
    .map(normalPath)
    .filter((target) => !taken.has(target))
    .map((target): VolumeMount => ({ kind: 'volume', source: '', target, readOnly: false }));
  return [...asked, ...own].map((mount) =>
    mount.kind === 'volume' && mount.source === '' ? { ...mount, source: draw(), anonymous: true } : mount,
  );
}

/** A container's mounts with its volumes, outer ones first. A volume replaces what is mounted at its place. */
export function withVolumes<T extends OciMount>(mounts: readonly T[], volumes: readonly PlacedVolume[]): OciMount[] {
  if (volumes.length === 0) return [...mounts];
  const taken = new Set(volumes.map(({ mount }) => normalPath(mount.target)));
  const kept = mounts.filter(({ destination }) => !taken.has(destination));
  return outerFirst([...kept, ...volumes.map(ociMount)]);
}

/** In an order in which none hides one before it. */
export function outerFirst<T extends { readonly destination: string }>(mounts: readonly T[]): T[] {
  const depth = ({ destination }: T): number => destination.split('/').length;
  return mounts.toSorted((one, other) => depth(one) - depth(other));
}

function ociMount({ mount, place }: PlacedVolume): OciMount {
  const source = 'share' in place ? `/run/a3s-box/share/${place.share}` : `/run/a3s-box/slots/${place.slot}/data`;
  return {
    destination: normalPath(mount.target),
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', 'nodev', mount.readOnly ? 'ro' : 'rw'],
  };
}

function checkTarget(path: string): string {
  checkPath(path, 'mount point');
  const normal = normalPath(path);
  if (normal === '/') fail("the box's root cannot be a mount point", 'name a directory below it');
  if (isKernels(normal)) {
    fail(`mount point "${path}" is the kernel's own`, 'name another directory');
  }
  return normal;
}

function checkPath(path: string, what: string): void {
  const plain = path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..');
  if (!plain) fail(`${what} "${path}" is not an absolute path`, 'give a path that starts with "/", without ".."');
}

/** Whether a mount of a user's at a place would hide what confines a container. @param path a normal one */
export function isKernels(path: string): boolean {
  return KEPT.some((kept) => path === kept || path.startsWith(`${kept}/`));
}

/** Without what says nothing. @param path absolute */
export function normalPath(path: string): string {
  return `/${path
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/')}`;
}

function fail(message: string, hint: string): never {
  throw new BoxError('INVALID_ARGUMENT', message, { hint });
}
