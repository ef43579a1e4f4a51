import { defineToken } from './kernel/container.js';
import type { Hypervisor } from './ports/hypervisor.js';
import type { Networks } from './box/box-networks.js';
import type { ImageStore } from './ports/image-store.js';
import type { RegistryDefaults } from './registries/registry-files.js';
import type { Logger } from './ports/logger.js';
import type { StateDatabase } from './state/state-database.js';
import type { BootAssetSource } from './vm/boot-asset-source.js';
import type { SupervisorSelf } from './supervisor/supervisor-self.js';

/** The process's logger. */
export const LoggerToken = defineToken<Logger>('Logger');
/** The distribution's image store. */
export const ImageStoreToken = defineToken<ImageStore>('ImageStore');
/** All backends, in the distribution's order. */
export const HypervisorsToken = defineToken<readonly Hypervisor[]>('Hypervisors');
/** The backend that the distribution names as the default. */
export const DefaultBackendToken = defineToken<{ readonly name: string | undefined }>('DefaultBackend');
/** All networks, by name. */
export const NetworksToken = defineToken<Networks>('Networks');
export const BootAssetSourceToken = defineToken<BootAssetSource>('BootAssetSource');
/** The home's database. */
export const StateDatabaseToken = defineToken<StateDatabase>('StateDatabase');
/** The server of the host's files. */
export const ShareProgramToken = defineToken<{ find(): Promise<string> }>('ShareProgram');
/** What the host tells of registries. */
export const RegistryDefaultsToken = defineToken<RegistryDefaults>('RegistryDefaults');
/** What a supervisor tells of itself. */
export const SupervisorSelfToken = defineToken<SupervisorSelf>('SupervisorSelf');
