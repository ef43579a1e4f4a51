import { mkdir } from 'node:fs/promises';
import { SUPERVISOR_PROTOCOL_MINOR } from '../client/protocol-version.js';
import { CLIENT_VERSION } from '../client/version.js';
import { layoutOf, prepareHome } from '../client/home.js';
import { findDistribution } from '../kernel/distribution.js';
import { PluginHost, type PluginStatus } from '../kernel/plugin-host.js';
import { removeEndpoint } from '../platform/endpoint-file.js';
import { PluginRecord } from '../gen/a3s/box/supervisor/v1/supervisor.js';
import { MetricsServer } from '../metrics/metrics-server.js';
import type { Logger } from '../ports/logger.js';
import type { HomeLayout } from '../store/home-layout.js';
import { InstalledAssets } from '../vm/installed-assets.js';
import { createCoreContainer } from '../core-container.js';
import { BoxAdopter } from '../box/box-adopter.js';
import { BoxRestarter } from '../box/box-restarter.js';
import { BoxRecovery } from '../box/box-recovery.js';
import { BoxService } from '../box/box-service.js';
import type { RegistryDefaults } from '../registries/registry-files.js';
import { installedShareProgram, type ShareProgramSearch } from '../volumes/share-program.js';
import { StateDatabase } from '../state/state-database.js';
import { Activity } from './activity.js';
import { SupervisorServer } from './supervisor-server.js';
import { awaitTurn } from './supervisor-turn.js';

/** How long a supervisor stays without a box and without a call. */
const IDLE_LIMIT_MS = 60_000;

export interface SupervisorOptions {
  /** Absolute path of the home. */
  readonly home: string;
  /** Distribution file that was asked for. */
  readonly distribution?: string | undefined;
  /** Where an administrator may have put a distribution file; absolute path. Default: Linux's. */
  readonly systemDistribution?: string;
  /** Distribution file with the host's built-in set of plugins; absolute path. */
  readonly builtInDistribution: string;
  /** Directories from which plugins' package names are resolved. */
  readonly resolveFrom: readonly string[];
  readonly logger: Logger;
  /** Is called once, when the home is served: by this process or by the one that was faster. */
  readonly ready: () => void;
  /** Where the server of the host's files is looked for, beside the usual places. */
  readonly shareProgram?: Partial<Pick<ShareProgramSearch, 'configured' | 'path'>>;
  /** What the host tells of registries. Default: nothing. */
  readonly registryDefaults?: RegistryDefaults;
  /** Ends the supervisor; its boxes go on. */
  readonly signal: AbortSignal;
  /** Minor version of the protocol to serve. Default: the newest. For tests of updates. */
  readonly protocolMinor?: number;
}

/**
 * Serves a home until it is idle, told to stop, or the signal fires. Where another supervisor serves it already, returns
 * once that one listens.
 *
 * @throws HOME_UNUSABLE, DISTRIBUTION_INVALID, PLUGIN_FAILED
 */
export async function runSupervisor(options: SupervisorOptions): Promise<void> {
  const layout = layoutOf(options.home);
  prepareHome(layout);
  await mkdir(layout.run, { mode: 0o700, recursive: true });
  using lock = await awaitTurn(layout, options.signal);
  if (lock) await serve(layout, options);
  else options.ready();
}

async function serve(layout: HomeLayout, options: SupervisorOptions): Promise<void> {
  const { logger, signal } = options;
  await using stack = new AsyncDisposableStack();
  const database = stack.use(StateDatabase.open(layout.state));
  const plugins = stack.use(await startPlugins(layout, options));
  const ended = Promise.withResolvers<void>();
  const self = {
    pid: process.pid,
    home: layout.root,
    version: CLIENT_VERSION,
    protocolMinor: options.protocolMinor ?? SUPERVISOR_PROTOCOL_MINOR,
    distribution: options.distribution,
    plugins: plugins.plugins.map(recordOf),
    stop: async () => {
      // Before the answer, so that whoever asked does not connect to this one again.
      await removeEndpoint(layout.platform, layout.supervisorSocket);
      ended.resolve();
    },
  };
  const assets = new InstalledAssets(layout);
  const shareProgram = installedShareProgram(options.shareProgram);
  const { registryDefaults = {} } = options;
  const container = stack.use(
    createCoreContainer({ logger, plugins, layout, database, assets, self, shareProgram, registryDefaults }),
  );
  stack.defer(() => container.resolve(BoxService).leave());
  stack.defer(() => container.resolve(BoxAdopter).leave());
  // Nothing is started any more while the boxes are let go of.
  stack.defer(() => container.resolve(BoxRestarter)[Symbol.dispose]());
  await container.resolve(BoxRecovery).recover(layout.platform.bootId());
  await container.resolve(MetricsServer).resume();
  const server = stack.use(container.resolve(SupervisorServer));
  await server.listen(layout.supervisorSocket, layout.platform);
  stack.defer(() => removeEndpoint(layout.platform, layout.supervisorSocket));
  options.ready();
  container.resolve(Activity).onIdle(IDLE_LIMIT_MS, () => ended.resolve());
  signal.addEventListener('abort', () => ended.resolve(), { once: true });
  await ended.promise;
}

async function startPlugins(layout: HomeLayout, options: SupervisorOptions): Promise<PluginHost> {
  const { distribution: explicit, builtInDistribution: builtIn, systemDistribution: system } = options;
  const { resolveFrom, logger, signal } = options;
  const { access, name } = layout.platform;
  // Elsewhere the mode tells, at no cost.
  const writers = name === 'windows' ? { letsOthersWrite: (file: string) => access.letsOthersWrite(file) } : {};
  return PluginHost.start({
    distribution: await findDistribution({ explicit, builtIn, ...(system !== undefined && { system }), ...writers }),
    resolveFrom,
    stateDirectory: layout.plugins,
    logger,
    signal,
  });
}

function recordOf(status: PluginStatus): PluginRecord {
  const version = status.state === 'faulted' ? '' : status.manifest.version;
  const reason =
    status.state === 'skipped'
      ? status.reason
      : status.state === 'faulted'
        ? status.faults.map(({ error }) => error.message).join('; ')
        : '';
  return PluginRecord.create({ name: status.name, version, state: status.state, reason });
}
