// The kit on the fake. Run by suite.integration.test.ts in a mocha of its own, with the fault in the environment.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { hypervisorSuite } from '../dist/index.js';
import { CAPABILITIES, endStrays, FakeHypervisor, type Fault } from './fake-hypervisor.ts';
import { tmpdir } from 'node:os';
import { afterEach } from 'mocha';

afterEach(() => endStrays(tmpdir()));

hypervisorSuite({
  name: 'fake',
  create: () => Promise.resolve(new FakeHypervisor(process.env['FAKE_FAULT'] as Fault | undefined)),
  boot: (directory) => {
    const kernel = join(directory, 'kernel');
    copyFileSync('/bin/true', kernel);
    return Promise.resolve({ architecture: 'amd64', kernel, initramfs: kernel });
  },
  capabilities: CAPABILITIES,
  timeoutMs: 5000,
});
