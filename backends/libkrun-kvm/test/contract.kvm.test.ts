import { hypervisorSuite } from '@a3s-box/contract-hypervisor';
import { contractBoot, libkrunKvm } from './test-hypervisor.ts';

hypervisorSuite({
  name: 'libkrun-kvm',
  create: (directory) => Promise.resolve(libkrunKvm(directory)),
  boot: contractBoot,
  // A guest in the emulated KVM host boots within ten seconds or so, and its console is slow.
  timeoutMs: 240_000,
  capabilities: ['pause', 'network-card', 'tsi', 'vmdk-disk'],
});
