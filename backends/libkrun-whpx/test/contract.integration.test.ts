import { hypervisorSuite } from '@a3s-box/contract-hypervisor';
import { RecordedMachines } from '../../../test/support/recording/recorded-machines.ts';
import { WHPX_CAPABILITIES } from '../dist/index.js';
import { recordedWhpx } from './recorded-whpx.ts';

describe('with the recording libkrun', () => {
  const machines = recordedWhpx();
  afterEach(() => machines.endGuests());
  after(() => machines.dispose());

  hypervisorSuite({
    name: 'libkrun-whpx',
    create: (directory) => Promise.resolve(machines.hypervisor(directory)),
    boot: (directory) => RecordedMachines.boot(directory),
    capabilities: [...WHPX_CAPABILITIES],
    timeoutMs: 10_000,
  });
});
