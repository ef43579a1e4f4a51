export { TsiNetwork, type TsiNetworkOptions } from './tsi-network.js';
