// The kit on a provider with a fault. Run by suite.integration.test.ts in a mocha of its own, with the fault in the
// environment. The provider that is made faulty is the default network: a kit about packets needs one that carries them.
import { after } from 'mocha';
import { UserNetwork } from '../../../../plugins/network-user/dist/index.js';
import { gatewayPid, silent } from '../../../../plugins/network-user/test/support.ts';
import { networkSuite } from '../dist/index.js';
import { endStray, FaultyNetwork, type Fault } from './faulty-network.ts';

const pids: number[] = [];
after(async () => {
  await FaultyNetwork.detachAll();
  pids.forEach(endStray);
});

networkSuite({
  name: 'faulty',
  create: (nameServers) => {
    const fault = process.env['FAKE_FAULT'] as Fault | undefined;
    return Promise.resolve(new FaultyNetwork(new UserNetwork({ logger: silent, nameServers }), fault));
  },
  capabilities: ['udp', 'ipv6'],
  counts: true,
  processes: (record) => {
    const pid = gatewayPid(record);
    pids.push(pid);
    return [pid];
  },
  timeoutMs: 5000,
});
