import { hypervisorSuite } from '@a3s-box/contract-hypervisor';
import { serveFiles } from './file-server.ts';
import { contractBoot, qemu } from './test-hypervisor.ts';

hypervisorSuite({
  name: 'qemu',
  create: (directory) => Promise.resolve(qemu(directory)),
  boot: contractBoot,
  serveFiles,
  capabilities: ['pause', 'swap-disk', 'block-counters', 'network-card', 'share', 'vmdk-disk', 'templates'],
});
