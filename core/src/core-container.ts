import { AuditLog } from './audit/audit-log.js';
import { BoxAdopter } from './box/box-adopter.js';
import { BoxChanges } from './box/box-changes.js';
import { BoxChecks } from './box/box-checks.js';
import { BoxCommits } from './box/box-commits.js';
import { BoxDisks } from './box/box-disks.js';
import { BoxDiskUsage } from './box/box-disk-usage.js';
import { BoxEnding } from './box/box-ending.js';
import { BoxExecs } from './box/box-execs.js';
import { BoxFiles } from './box/box-files.js';
import { BoxHealth } from './box/box-health.js';
import { BoxRestarter } from './box/box-restarter.js';
import { BoxKeeper } from './box/box-keeper.js';
import { BoxMachines } from './box/box-machines.js';
import { BoxPauses } from './box/box-pauses.js';
import { BoxPrunes } from './box/box-prunes.js';
import { BoxNetworks, type Networks } from './box/box-networks.js';
import { BoxLogs } from './box/box-logs.js';
import { BoxRecords } from './box/box-records.js';
import { BoxRecovery } from './box/box-recovery.js';
import { BoxService } from './box/box-service.js';
import { BoxStarter } from './box/box-starter.js';
import { SpareBoxes } from './box/spare-boxes.js';
import { BoxVolumes } from './box/box-volumes.js';
import { Container } from './kernel/container.js';
import { EventLog } from './events/event-log.js';
import type { PluginHost } from './kernel/plugin-host.js';
import { HomeMetrics } from './metrics/home-metrics.js';
import { MetricsServer } from './metrics/metrics-server.js';
import { HypervisorPort } from './ports/hypervisor.js';
import { NetworkPort } from './ports/network.js';
import { ImageStorePort } from './ports/image-store.js';
import type { Logger } from './ports/logger.js';
import {
  BootAssetSourceToken,
  DefaultBackendToken,
  HypervisorsToken,
  ImageStoreToken,
  LoggerToken,
  NetworksToken,
  RegistryDefaultsToken,
  ShareProgramToken,
  StateDatabaseToken,
  SupervisorSelfToken,
} from './service-tokens.js';
import { BoxSnapshots } from './snapshots/box-snapshots.js';
import { SnapshotStore } from './snapshots/snapshot-store.js';
import { BoxSampler } from './stats/box-sampler.js';
import { BoxTable } from './state/box-table.js';
import { Facts } from './state/facts.js';
import { FreeSpace } from './state/free-space.js';
import { Ledger } from './state/ledger.js';
import { Reaper } from './state/reaper.js';
import type { StateDatabase } from './state/state-database.js';
import { HomeLayout } from './store/home-layout.js';
import { RegistryFiles, type RegistryDefaults } from './registries/registry-files.js';
import { Activity } from './supervisor/activity.js';
import { EmulationNotice } from './supervisor/emulation-notice.js';
import { LifecycleHandlers } from './supervisor/lifecycle-handlers.js';
import type { SupervisorSelf } from './supervisor/supervisor-self.js';
import { SnapshotHandlers } from './supervisor/snapshot-handlers.js';
import { FilesHandlers } from './supervisor/files-handlers.js';
import { RegistryHandlers } from './supervisor/registry-handlers.js';
import { SignatureHandlers } from './supervisor/signature-handlers.js';
import { SupervisorServer } from './supervisor/supervisor-server.js';
import { TemplateHandlers } from './supervisor/template-handlers.js';
import { VolumeHandlers } from './supervisor/volume-handlers.js';
import { WatchingHandlers } from './supervisor/watching-handlers.js';
import { VolumeRecords } from './volumes/volume-records.js';
import { VolumeService } from './volumes/volume-service.js';
import { VolumeTable } from './volumes/volume-table.js';
import { BackendChooser } from './vm/backend-chooser.js';
import type { BootAssetSource } from './vm/boot-asset-source.js';
import { TemplateLibrary } from './vm/templates/template-library.js';
import { TemplateStore } from './vm/templates/template-store.js';
import { VmManager } from './vm/vm-manager.js';

/** What exists before the container: made by the host, and disposed of by it after the container. */
export interface CoreValues {
  readonly logger: Logger;
  readonly plugins: Pick<PluginHost, 'registry'>;
  readonly layout: HomeLayout;
  readonly database: StateDatabase;
  readonly assets: BootAssetSource;
  readonly self: SupervisorSelf;
  /** Finds the server of the host's files. */
  readonly shareProgram: { find(): Promise<string> };
  /** Default: nothing but the home's files. */
  readonly registryDefaults?: RegistryDefaults;
}

/**
 * The container with core's services. This is the one place where they are registered; a service is a class with
 * `@injectable()`, and gets what it needs through its constructor.
 *
 * @throws PLUGIN_FAILED when no plugin provides the image store
 */
export function createCoreContainer({
  logger,
  plugins,
  layout,
  database,
  assets,
  self,
  shareProgram,
  registryDefaults = {},
}: CoreValues): Container {
  const container = new Container()
    .registerValue(LoggerToken, logger)
    .registerValue(HomeLayout, layout)
    .registerValue(StateDatabaseToken, database)
    .registerValue(BootAssetSourceToken, assets)
    .registerValue(SupervisorSelfToken, self)
    .registerValue(ShareProgramToken, shareProgram)
    .registerValue(RegistryDefaultsToken, registryDefaults)
    .registerValue(ImageStoreToken, plugins.registry.get(ImageStorePort))
    .registerValue(NetworksToken, networksOf(plugins.registry))
    .registerValue(HypervisorsToken, [...plugins.registry.all(HypervisorPort).values()])
    .registerValue(DefaultBackendToken, { name: plugins.registry.defaultName(HypervisorPort) });
  registerHost(container);
  registerBoxes(container);
  registerHandlers(container);
  return container;
}

/** What boxes are made from, and where it is written down. */
function registerHost(container: Container): void {
  container
    .registerSingleton(Activity)
    .registerSingleton(BackendChooser)
    .registerSingleton(TemplateStore)
    .registerSingleton(TemplateLibrary)
    .registerSingleton(VmManager)
    .registerSingleton(EventLog)
    .registerSingleton(AuditLog)
    .registerSingleton(BoxTable)
    .registerSingleton(VolumeTable)
    .registerSingleton(VolumeRecords)
    .registerSingleton(VolumeService)
    .registerSingleton(Ledger)
    .registerSingleton(Facts)
    .registerSingleton(Reaper)
    .registerSingleton(FreeSpace)
    .registerSingleton(EmulationNotice)
    .registerSingleton(RegistryFiles)
    .registerSingleton(SnapshotStore);
}

/** Boxes, and what can be done with them. */
function registerBoxes(container: Container): void {
  container
    .registerSingleton(BoxVolumes)
    .registerSingleton(BoxRecords)
    .registerSingleton(BoxLogs)
    .registerSingleton(BoxNetworks)
    .registerSingleton(BoxEnding)
    .registerSingleton(BoxKeeper)
    .registerSingleton(BoxExecs)
    .registerSingleton(BoxMachines)
    .registerSingleton(SpareBoxes)
    .registerSingleton(BoxStarter)
    .registerSingleton(BoxAdopter)
    .registerSingleton(BoxPauses)
    .registerSingleton(BoxChecks)
    .registerSingleton(BoxService)
    .registerSingleton(BoxChanges)
    .registerSingleton(BoxDiskUsage)
    .registerSingleton(BoxPrunes)
    .registerSingleton(BoxRestarter)
    .registerSingleton(BoxHealth)
    .registerSingleton(BoxRecovery)
    .registerSingleton(BoxDisks)
    .registerSingleton(BoxFiles)
    .registerSingleton(BoxCommits)
    .registerSingleton(BoxSnapshots)
    .registerSingleton(BoxSampler);
}

/** What clients reach. */
function registerHandlers(container: Container): void {
  container
    .registerSingleton(VolumeHandlers)
    .registerSingleton(RegistryHandlers)
    .registerSingleton(SignatureHandlers)
    .registerSingleton(HomeMetrics)
    .registerSingleton(MetricsServer)
    .registerSingleton(WatchingHandlers)
    .registerSingleton(LifecycleHandlers)
    .registerSingleton(FilesHandlers)
    .registerSingleton(SnapshotHandlers)
    .registerSingleton(TemplateHandlers)
    .registerSingleton(SupervisorServer);
}

/** A distribution without a network has boxes without one. */
function networksOf(registry: CoreValues['plugins']['registry']): Networks {
  const all = registry.all(NetworkPort);
  const named = registry.defaultName(NetworkPort) !== undefined;
  return { all, preferred: named ? [registry.get(NetworkPort)] : [...all.values()] };
}
