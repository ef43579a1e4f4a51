import { Container, defineToken } from './kernel/container.js';
import type { PluginHost } from './kernel/plugin-host.js';
import { PluginRegistry } from './kernel/plugin-registry.js';
import type { Logger } from './ports/logger.js';

/** The process's logger. */
export const LoggerToken = defineToken<Logger>('Logger');

/** What exists before the container: made by the host, and disposed of by it after the container. */
export interface CoreValues {
  readonly logger: Logger;
  readonly plugins: Pick<PluginHost, 'registry'>;
}

/**
 * The container with core's services. This is the one place where they are registered; a service is a class with
 * `@injectable()`, and gets what it needs through its constructor.
 */
export function createCoreContainer({ logger, plugins }: CoreValues): Container {
  return new Container().registerValue(LoggerToken, logger).registerValue(PluginRegistry, plugins.registry);
}
