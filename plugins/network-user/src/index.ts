export { UserNetwork, type UserNetworkOptions } from './user-network.js';
export { buildDirectory, gatewayPath, prebuiltIsCurrent, prebuiltManifest, sourcesDigest } from './gateway-binary.js';
export type { GatewayManifest } from './gateway-binary.js';
