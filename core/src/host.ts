/** What hosts use: the plugin host and the container. Plugins and clients have no business here. */
export { createCoreContainer, type CoreValues } from './core-container.js';
export * from './service-tokens.js';
export { Container, defineToken, inject, injectable, type ServiceToken, type Token } from './kernel/container.js';
export {
  findDistribution,
  loadDistribution,
  SYSTEM_DISTRIBUTION_FILE,
  type Distribution,
  type DistributionFiles,
  type PluginSource,
} from './kernel/distribution.js';
export { PinoLogger, type LogLevel, type PinoLoggerOptions } from './kernel/pino-logger.js';
export type { FaultKind, PluginFault } from './kernel/plugin-fault.js';
export { PluginHost, type PluginHostOptions } from './kernel/plugin-host.js';
export type { PluginManifest, ProvidedPort, RequiredPort } from './kernel/plugin-manifest.js';
export { planPlugins, type PlanOptions, type PluginPlan } from './kernel/plugin-plan.js';
export { PluginRegistry } from './kernel/plugin-registry.js';
export type { Settings } from './kernel/plugin-settings.js';
export type { PluginStatus } from './kernel/plugin-status.js';
export { runSupervisor, type SupervisorOptions } from './supervisor/run-supervisor.js';
