import { inject, injectable } from '../kernel/container.js';
import type { Image, ImageStore } from '../ports/image-store.js';
import type { Operation } from '../ports/operation.js';
import { RegistryFiles } from '../registries/registry-files.js';
import { ImageStoreToken } from '../service-tokens.js';
import { HomeLayout } from '../store/home-layout.js';
import { BackendChooser, type BackendChoice } from '../vm/backend-chooser.js';
import { checkSizing } from '../vm/check-sizing.js';
import { architectureOf, checkImagePlatform } from '../vm/guest-architecture.js';
import { checkVolumeMounts, normalPath, settleMounts, type VolumeMount } from '../volumes/volume-mount.js';
import { parseVolumesFrom } from '../volumes/volumes-from.js';
import { drawVolumeName } from '../volumes/volume-service.js';
import { BoxNetworks } from './box-networks.js';
import { checkBoxSpec, sizingOf, type BoxSpec } from './box-spec.js';
import { BoxVolumes } from './box-volumes.js';
import { tmpfsTargets } from './container-mounts.js';
import { healthCheckOf } from './health-check.js';
import { logLimitsOf } from './log-config.js';
import { compileOciConfig } from './oci-config.js';
import { signalNumber } from './signals.js';

/** A spec that a box can be made from. */
export interface CheckedSpec {
  readonly spec: BoxSpec;
  readonly image: Image;
  readonly backend: BackendChoice;
}

export interface CheckOptions extends Operation {
  readonly find: (reference: string) => { readonly spec: BoxSpec };
}

/** Checks what was asked for before anything is made of it. */
@injectable()
export class BoxChecks {
  constructor(
    @inject(ImageStoreToken) private readonly images: ImageStore,
    private readonly backends: BackendChooser,
    private readonly networks: BoxNetworks,
    private readonly volumes: BoxVolumes,
    private readonly registries: RegistryFiles,
    private readonly home: HomeLayout,
  ) {}

  /**
   * @param find finds another box
   * @throws INVALID_ARGUMENT, UNSUPPORTED, IMAGE_NOT_FOUND, BACKEND_UNAVAILABLE, as `ImageStore.admit`, and what
   * `find` throws
   */
  async check(given: BoxSpec, { find, ...operation }: CheckOptions): Promise<CheckedSpec> {
    checkBoxSpec(given);
    if (given.stopSignal !== undefined) signalNumber(given.stopSignal);
    logLimitsOf(given.log);
    const image = await this.images.inspect(given.image, operation);
    await this.images.admit(given.image, {
      ...operation,
      policyFile: this.home.imagePolicy,
      registries: async () => ({ settings: await this.registries.read() }),
    });
    healthCheckOf(given, image.config.healthcheck);
    checkImagePlatform(given.image, image, given.platform);
    const architecture = architectureOf(given.platform);
    const backend = await this.backends.choose(given.backend, { ...operation, architecture });
    checkSizing(sizingOf(given), backend.probe.limits);
    // What was not asked for is settled here, so that it stays so.
    const spec = {
      ...given,
      network: this.networks.nameOf(given, backend),
      volumes: settleMounts(mountsOf(given, find), image.config, drawVolumeName, tmpfsTargets(given.options ?? {})),
    };
    this.networks.check(spec, backend);
    checkVolumeMounts(spec.volumes);
    this.volumes.check(spec.volumes, backend);
    compileOciConfig(spec, image.config, spec.hostname ?? '');
    return { spec, image, backend };
  }
}

/** What was asked for, and what the boxes have that are named for that; a mount at the same place goes before theirs. */
function mountsOf(
  { volumes = [], volumesFrom = [], options = {} }: BoxSpec,
  find: CheckOptions['find'],
): readonly VolumeMount[] {
  const mounts = [...volumes];
  const others = tmpfsTargets(options).map(normalPath);
  for (const { box, readOnly } of volumesFrom.map(parseVolumesFrom)) {
    for (const mount of find(box).spec.volumes ?? []) {
      const place = normalPath(mount.target);
      const isTaken = others.includes(place) || mounts.some(({ target }) => normalPath(target) === place);
      if (!isTaken) mounts.push({ ...mount, readOnly: mount.readOnly || readOnly });
    }
  }
  return mounts;
}
