import { definePlugin, NetworkPort } from '@a3s-box/core';
import { UserNetwork } from './user-network.js';

/** As settings.schema.json says. */
interface Settings {
  readonly nameServers?: readonly string[];
}

export default definePlugin({
  provides: { network: { port: NetworkPort, name: 'default' } },
  requires: {},
  activate({ settings, logger }) {
    const { nameServers } = settings as Settings;
    const network = new UserNetwork({ logger, ...(nameServers === undefined ? {} : { nameServers }) });
    return Promise.resolve({ services: { network } });
  },
});
