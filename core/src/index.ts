export { BoxError, isBoxError, type BoxErrorOptions } from './errors/box-error.js';
export { asBoxError, exitStatusOf, isErrorCode } from './errors/as-box-error.js';
export { ERROR_TABLE, type ErrorCode } from './errors/error-table.js';
export { definePort, type Port } from './ports/port.js';
export type { Operation, Progress } from './ports/operation.js';
export type { Logger, LogFields } from './ports/logger.js';
export {
  definePlugin,
  isSkipPlugin,
  PLUGIN_API_VERSION,
  SkipPlugin,
  type Activation,
  type Plugin,
  type PluginContext,
  type PluginDefinition,
  type PortsByKey,
  type Provision,
  type Provisions,
  type Requirement,
  type Requirements,
  type Services,
} from './ports/plugin.js';
export * from './ports/hypervisor.js';
export * from './ports/image-files.js';
export * from './ports/image-store.js';
export * from './ports/image-trust.js';
export * from './ports/registry.js';
export * from './ports/network.js';
export * from './ports/attestation.js';
export * from './ports/builder.js';
export { TarReader, type TarSink } from './tar/tar-reader.js';
export { tarEnd, tarHeader, tarPadding, type TarMember } from './tar/tar-writer.js';
export { printable, type TarEntry, type TarEntryType, type Xattr } from './tar/tar-entry.js';
export type { SparseRun } from './tar/sparse-map.js';
export { hostPlatform, platformOf } from './platform/host-platform.js';
export type { Autostart } from './platform/autostart.js';
export type { AccessRights, HostPlatform, Surroundings } from './platform/platform.js';
export { BootAssetStore, type BootAssetSources } from './vm/assets/boot-asset-store.js';
export { FOR_EVER_MS } from './box/time-limit.js';
