import { BoxRunner } from '../box/box-runner.js';
import { BoxService } from '../box/box-service.js';
import type { PluginRegistry } from '../kernel/plugin-registry.js';
import { HypervisorPort } from '../ports/hypervisor.js';
import { ImageStorePort } from '../ports/image-store.js';
import type { Logger } from '../ports/logger.js';
import type { HomeLayout } from '../store/home-layout.js';
import { InstalledAssets } from '../vm/installed-assets.js';
import { BackendChooser } from '../vm/backend-chooser.js';
import { VmManager } from '../vm/vm-manager.js';
import { EmulationNotice } from './emulation-notice.js';
import type { SupervisorServices } from './supervisor-server.js';

export interface GraphInputs {
  readonly layout: HomeLayout;
  readonly logger: Logger;
  readonly registry: PluginRegistry;
}

export interface ServiceGraph extends SupervisorServices {
  readonly vms: VmManager;
}

/** Wires the services of a supervisor. @throws PLUGIN_FAILED when no plugin provides what it cannot do without */
export function composeServices({ layout, logger, registry }: GraphInputs): ServiceGraph {
  const images = registry.get(ImageStorePort);
  const backends = new BackendChooser([...registry.all(HypervisorPort).values()]);
  const vms = new VmManager(layout, new InstalledAssets(layout));
  const runner = new BoxRunner(images, backends, vms, logger);
  const boxes = new BoxService(images, backends, runner);
  return { boxes, images, backends, vms, notice: new EmulationNotice(backends), logger };
}
