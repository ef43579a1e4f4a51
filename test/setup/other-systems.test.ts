import assert from 'node:assert/strict';
import { describeSetup, missingRequirements, systemSetup, type Questions } from '../../scripts/setup/other-systems.ts';

const nothing: Questions = { command: () => false, file: () => false, output: () => undefined };
const everything: Questions = { command: () => true, file: () => true, output: () => 'True\r\n' };

describe('set-up on other systems', () => {
  it('knows macOS on Apple silicon and Windows on x86-64', () => {
    assert.match(systemSetup('darwin-arm64')?.title ?? '', /macOS/);
    assert.match(systemSetup('win32-x64')?.title ?? '', /Windows/);
    for (const other of ['linux-x64', 'darwin-x64', 'win32-arm64']) assert.equal(systemSetup(other), undefined);
  });

  for (const platform of ['darwin-arm64', 'win32-x64']) {
    it(`tells on ${platform} all that is missing, what it is for and how to get it`, () => {
      const setup = systemSetup(platform);
      assert.ok(setup);
      const missing = missingRequirements(setup, nothing);
      assert.equal(missing.length, setup.requirements.length);
      const text = describeSetup(setup, missing).join('\n');
      for (const { name, why, install } of setup.requirements) {
        for (const part of [name, why, install]) assert.ok(text.includes(part), part);
      }
    });

    it(`tells on ${platform} what it does not do, with nothing missing too`, () => {
      const setup = systemSetup(platform);
      assert.ok(setup);
      assert.deepEqual(missingRequirements(setup, everything), []);
      const lines = describeSetup(setup, []);
      assert.ok(lines.some((line) => line.includes('everything')));
      assert.equal(lines.filter((line) => line.includes('not set up: ')).length, setup.notSetUp.length);
      assert.ok(setup.notSetUp.length > 0);
    });
  }

  it('asks Windows whether a hypervisor runs, not only whether a library is there', () => {
    const setup = systemSetup('win32-x64');
    assert.ok(setup);
    const off = missingRequirements(setup, { ...everything, output: () => 'False\r\n' });
    assert.deepEqual(
      off.map(({ name }) => name.includes('HypervisorPlatform')),
      [true],
    );
    assert.match(off[0]?.install ?? '', /HypervisorPlatform/);
  });
});
