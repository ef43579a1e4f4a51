import { networkSuite } from '@a3s-box/contract-network';
import { UserNetwork } from '../dist/index.js';
import { gatewayPid, silent } from './support.ts';

networkSuite({
  name: 'default (user-space NAT)',
  create: (nameServers) => Promise.resolve(new UserNetwork({ logger: silent, nameServers })),
  capabilities: ['udp', 'ipv6'],
  counts: true,
  processes: (record) => [gatewayPid(record)],
});
