import { hypervisorSuite } from '@a3s-box/contract-hypervisor';
import { contractBoot, libkrunKvm } from './test-hypervisor.ts';

hypervisorSuite({
  name: 'libkrun-kvm',
  create: (directory) => Promise.resolve(libkrunKvm(directory)),
  boot: contractBoot,
  // There a line of the console takes 15 ms.
  floodLines: 500,
  capabilities: ['pause', 'network-card', 'tsi', 'vmdk-disk'],
});
