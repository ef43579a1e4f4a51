import { BoxError } from '../errors/box-error.js';
import { GUEST_ARCHITECTURES, type GuestArchitecture } from '../ports/hypervisor.js';
import type { Image } from '../ports/image-store.js';

const HOSTS: Readonly<Partial<Record<NodeJS.Architecture, GuestArchitecture>>> = { x64: 'amd64', arm64: 'arm64' };
const PLATFORMS: ReadonlyMap<string, GuestArchitecture> = new Map([
  ['linux/amd64', 'amd64'],
  ['linux/arm64', 'arm64'],
  ['linux/arm64/v8', 'arm64'],
]);

/** What guests are that this host's processor runs. @throws UNSUPPORTED on a host for which there is no guest */
export function hostArchitecture(): GuestArchitecture {
  const architecture = HOSTS[process.arch];
  if (architecture !== undefined) return architecture;
  throw new BoxError('UNSUPPORTED', `there is no guest for ${process.arch}`, { hint: 'use an x64 or an arm64 host' });
}

/**
 * The architecture that a box is asked for with.
 * @param platform as a user gives it; absent for the host's @throws UNSUPPORTED for one that no box can have
 */
export function architectureOf(platform: string | undefined): GuestArchitecture {
  if (platform === undefined) return hostArchitecture();
  const architecture = PLATFORMS.get(platform);
  if (architecture !== undefined) return architecture;
  throw new BoxError('UNSUPPORTED', `platform "${platform}" is not one that boxes can have`, {
    hint: `give ${GUEST_ARCHITECTURES.map((name) => `linux/${name}`).join(' or ')}`,
  });
}

/**
 * Whether an image is for the machine that was asked for. An image for another processor is never run on an emulated one
 * unasked. Images of architectures that no guest has are left to the guest's kernel, which may know them (386 on amd64).
 * @throws IMAGE_NOT_FOUND, UNSUPPORTED
 */
export function checkImagePlatform(
  reference: string,
  { platform: actual }: Pick<Image, 'platform'>,
  wanted?: string,
): void {
  const architecture = architectureOf(wanted);
  if (actual.os === 'linux' && actual.architecture === architecture) return;
  const text = `${actual.os}/${actual.architecture}`;
  if (wanted !== undefined) {
    throw new BoxError('IMAGE_NOT_FOUND', `image ${reference} is for ${text}, not for ${wanted}`, {
      hint: `fetch the other one: a3s-box pull --platform ${wanted} ${reference}`,
    });
  }
  if (!(GUEST_ARCHITECTURES as readonly string[]).includes(actual.architecture)) return;
  throw new BoxError('UNSUPPORTED', `image ${reference} is for ${text}, and this host runs linux/${architecture}`, {
    hint: `to have the other processor emulated, which is slow: a3s-box run --platform ${text} ...`,
  });
}
