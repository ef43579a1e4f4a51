/**
 * `@a3s-box/core/client`: what programs use A3S Box with. Start at {@link BoxClient}.
 */
export type { BoxSpec, RestartPolicy, TerminalSize } from '../box/box-spec.js';
export type { ContainerLimits } from '../box/container-limits.js';
export type { ContainerOptions, TmpfsMount, Ulimit } from '../box/container-options.js';
export { FOR_EVER_MS } from '../box/time-limit.js';
export type { HealthcheckSpec } from '../box/health-check.js';
export type { LogConfig } from '../box/log-config.js';
export { BoxError, isBoxError, type BoxErrorOptions } from '../errors/box-error.js';
export type { ErrorCode } from '../errors/error-table.js';
export { installAutostart, uninstallAutostart, type AutostartOptions } from './autostart.js';
export type { Autostart } from '../platform/autostart.js';
export { Attachment, type OutputChunk } from './attachment.js';
export { BoxClient, type ConnectOptions } from './box-client.js';
export type {
  AttachOptions,
  ExecSpec,
  LogsOptions,
  ProcessReference,
  RemoveOptions,
  RunOptions,
  StopOptions,
} from './box-requests.js';
export type { CallOptions } from './call-options.js';
export type { PublishedPort } from '../ports/network.js';
export type { ImageConfig, ImageStep, StoreCheck, StoreProblem } from '../ports/image-store.js';
export type {
  BoxPath,
  CommitOptions,
  CopyOptions,
  ExtractOptions,
  FileDifference,
  FilesClient,
  FileStatus,
} from './files-client.js';
export { withImage, type ImagePolicy } from './image-policy.js';
export type { ImageClient, ImageWorkOptions, ImportOptions, PullOptions, PushOptions } from './image-client.js';
export type {
  BackendInfo,
  BoxHealth,
  BoxProcesses,
  BoxRecord,
  BoxState,
  BoxUpdate,
  CreatedBox,
  DiskUsage,
  ExitStatus,
  HostInfo,
  ImageDetails,
  ImageRecord,
  PushedImage,
  KnownExit,
  LogRecord,
  PluginInfo,
  PrunedBoxes,
  PruneFilter,
  Span,
  SupervisorIdentity,
  TemplateRecord,
  UnknownExit,
} from './records.js';
export type { RegistryCredentials } from '../ports/registry.js';
export { registryOf } from './docker-config.js';
export { DockerCredentials, type DockerCredentialsOptions } from './docker-credentials.js';
export type { CredentialSource, LoginOptions, RegistryClient } from './registry-client.js';
export type { SignatureClient, SignatureOptions, SignOptions, VerifyOptions } from './signature-client.js';
export type {
  ImageAttestation,
  ImageReferrer,
  ImageSignature,
  ImageSigner,
  SignedImage,
  SignerIdentity,
  SignerQuery,
  TrustRootPlace,
  VerifiedImage,
} from '../ports/image-trust.js';
export type { SnapshotClient, SnapshotRecord } from './snapshot-client.js';
export type { TemplateClient, TemplateShape } from './template-client.js';
export type { PruneVolumesOptions, VolumeClient, VolumeRecord, VolumeSpec } from './volume-client.js';
export type {
  AuditOptions,
  AuditRecord,
  BoxEvent,
  BoxStats,
  BoxUsage,
  EventsOptions,
  StatsOptions,
  WatchClient,
} from './watch-client.js';
export type { VolumeMount } from '../volumes/volume-mount.js';
export type { SupervisorCommand } from './supervisor-launch.js';
