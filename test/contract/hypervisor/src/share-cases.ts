import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { Fixture, HypervisorSuiteOptions } from './fixture.js';

const SHAPE = { vcpus: 1, memoryBytes: 256 * 1024 * 1024, network: false, share: true };

export function shareCases(current: () => Fixture, { capabilities, serveFiles }: HypervisorSuiteOptions): void {
  if (!capabilities.includes('share')) return;
  describe('share', () => {
    it('shows what its server serves, and leaves the server with the VM', async () => {
      assert.ok(serveFiles, 'a provider with shares is tested with a file server: give serveFiles');
      const directory = current().directory();
      const files = join(directory, 'files');
      mkdirSync(files);
      writeFileSync(join(files, 'greeting'), 'from the host\n');
      const socket = join(directory, 'fs.sock');
      const server = await serveFiles(files, socket);
      try {
        const vm = await current().start({ shape: SHAPE, shareSocket: socket });
        using guest = await current().guest(vm);
        assert.equal(await guest.ask('share greeting'), 'from the host');
        assert.match(await guest.ask('share missing'), /^error No such file/);
        await vm.kill();
        await server.gone;
      } finally {
        await server.kill();
      }
    });

    it('and its socket come together', async () => {
      const { hypervisor, signal } = current();
      for (const changes of [{ shareSocket: '/nonexistent/fs.sock' }, { shape: SHAPE }]) {
        await assert.rejects(hypervisor.create(current().spec(changes), { signal }), { code: 'INVALID_ARGUMENT' });
      }
    });
  });
}
