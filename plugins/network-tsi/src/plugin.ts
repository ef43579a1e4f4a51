import { definePlugin, NetworkPort } from '@a3s-box/core';
import { TsiNetwork } from './tsi-network.js';

/** As settings.schema.json says. */
interface Settings {
  readonly nameServers?: readonly string[];
}

export default definePlugin({
  provides: { network: { port: NetworkPort, name: 'tsi' } },
  requires: {},
  activate({ settings }) {
    const { nameServers } = settings as Settings;
    return Promise.resolve({ services: { network: new TsiNetwork(nameServers === undefined ? {} : { nameServers }) } });
  },
});
