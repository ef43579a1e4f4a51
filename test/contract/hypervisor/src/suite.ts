import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootAssets, Hypervisor } from '@a3s-box/core';
import { after, afterEach, before, beforeEach, describe } from 'mocha';
import { adoptCases } from './adopt-cases.js';
import { counterCases } from './counter-cases.js';
import { createCases } from './create-cases.js';
import { deviceCases } from './device-cases.js';
import { exitCases } from './exit-cases.js';
import { Fixture, type HypervisorSuiteOptions } from './fixture.js';
import { networkCases } from './network-cases.js';
import { pauseCases } from './pause-cases.js';
import { probeCases } from './probe-cases.js';
import { shareCases } from './share-cases.js';
import { swapCases } from './swap-cases.js';
import { templateCases } from './template-cases.js';

const DEFAULT_TIMEOUT_MS = 60_000;

/**
 * Declares the Hypervisor port's contract as mocha cases for one provider. To be called in a mocha file.
 *
 * The guest is the kit's own ({@link contractGuestInit}); it speaks lines, not gRPC, so that a backend can be tested
 * without the product's guest.
 */
export function hypervisorSuite(options: HypervisorSuiteOptions): void {
  describe(`hypervisor contract: ${options.name}`, function () {
    this.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    let root: string;
    let hypervisor: Hypervisor;
    let boot: BootAssets;
    let fixture: Fixture;
    before(async () => {
      root = mkdtempSync(join(tmpdir(), 'hvk-'));
      hypervisor = await options.create(root);
      boot = await options.boot(root);
    });
    after(() => rmSync(root, { recursive: true, force: true }));
    beforeEach(() => {
      fixture = new Fixture(hypervisor, boot);
    });
    afterEach(() => fixture.dispose());

    const current = (): Fixture => fixture;
    probeCases(current, options);
    createCases(current, options);
    deviceCases(current, options);
    networkCases(current, options.capabilities.includes('network-card'));
    shareCases(current, options);
    exitCases(current);
    adoptCases(current);
    pauseCases(current, options.capabilities.includes('pause'));
    swapCases(current, options.capabilities.includes('swap-disk'));
    counterCases(current, options.capabilities.includes('block-counters'));
    templateCases(current, options.capabilities);
  });
}
