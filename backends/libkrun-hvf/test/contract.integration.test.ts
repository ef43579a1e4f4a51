import { hypervisorSuite } from '@a3s-box/contract-hypervisor';
import { RecordedMachines } from '../../../test/support/recording/recorded-machines.ts';
import { HVF_CAPABILITIES } from '../dist/index.js';
import { recordedHvf } from './recorded-hvf.ts';

describe('with the recording libkrun', () => {
  const machines = recordedHvf();
  afterEach(() => machines.endGuests());
  after(() => machines.dispose());

  hypervisorSuite({
    name: 'libkrun-hvf',
    create: (directory) => Promise.resolve(machines.hypervisor(directory)),
    boot: (directory) => RecordedMachines.boot(directory),
    capabilities: [...HVF_CAPABILITIES],
    timeoutMs: 10_000,
  });
});
