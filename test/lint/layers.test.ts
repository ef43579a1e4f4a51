import assert from 'node:assert/strict';
import { backendNamed, importProblem } from '../../tools/lint/layers.ts';
import type { PackageKind, WorkspacePackage } from '../../tools/lint/workspace.ts';

const pack = (directory: string, name: string, kind: PackageKind, belowCore = false): WorkspacePackage => {
  return { directory, name, kind, belowCore };
};
const workspace = [
  pack('core', '@a3s-box/core', 'core'),
  pack('native', '@a3s-box/native', 'library', true),
  pack('plugins/erofs', '@a3s-box/erofs', 'library'),
  pack('plugins/images', '@a3s-box/images', 'plugin'),
  pack('plugins/compose', '@a3s-box/compose', 'plugin'),
  pack('backends/qemu', '@a3s-box/qemu', 'backend'),
  pack('backends/libkrun', '@a3s-box/libkrun', 'library'),
  pack('cli', 'a3s-box', 'host'),
  pack('test/contract/network', '@a3s-box/contract-network', 'contract'),
];

function problem(file: string, specifier: string, typeOnly = false): string | undefined {
  return importProblem({ file, specifier, typeOnly }, workspace);
}

const allowed: readonly (readonly [string, string, boolean?])[] = [
  ['core/src/ports/network.ts', './port.js'],
  ['core/src/ports/network.ts', 'pino', true],
  ['core/src/errors/grpc.ts', './box-error.js'],
  ['core/src/kernel/plugin-host.ts', '../ports/plugin.js'],
  ['core/src/kernel/plugin-host.ts', '../errors/box-error.js'],
  ['core/src/kernel/pino-logger.ts', 'pino'],
  ['core/src/kernel/container.ts', 'tsyringe'],
  ['core/src/kernel/container.ts', 'reflect-metadata'],
  ['core/src/box/box.ts', '../kernel/container.js'],
  ['core/src/box/box.ts', '@a3s-box/native'],
  ['plugins/images/src/store.ts', '@a3s-box/core'],
  ['plugins/images/src/store.ts', '@a3s-box/erofs'],
  ['plugins/images/src/deep/store.ts', '../other.js'],
  ['plugins/images/src/store.ts', 'node:fs'],
  ['plugins/images/src/store.ts', 'undici'],
  ['backends/qemu/src/vm.ts', '@a3s-box/core'],
  ['backends/qemu/src/vm.ts', '@a3s-box/libkrun'],
  ['backends/libkrun/src/launcher.ts', '@a3s-box/core'],
  ['cli/src/main.ts', '@a3s-box/core/client'],
  ['cli/src/main.ts', '@a3s-box/core/host'],
  ['cli/src/main.ts', '@oclif/core'],
  ['test/contract/network/src/index.ts', '@a3s-box/core'],
  ['core/test/kernel/x.test.ts', '../../../plugins/images/dist/index.js'],
  ['scripts/build.ts', '@a3s-box/qemu'],
];

const refused: readonly (readonly [string, string, boolean?])[] = [
  ['core/src/ports/network.ts', '../kernel/plugin-host.js', true],
  ['core/src/ports/network.ts', '../errors/box-error.js'],
  ['core/src/ports/network.ts', 'pino'],
  ['core/src/errors/grpc.ts', '@grpc/grpc-js'],
  ['core/src/errors/grpc.ts', '../ports/port.js'],
  ['core/src/kernel/plugin-host.ts', '../box/box.js'],
  ['core/src/kernel/plugin-host.ts', 'tsyringe'],
  ['core/src/box/box.ts', 'tsyringe', true],
  ['core/src/box/box.ts', '@a3s-box/images'],
  ['core/src/box/box.ts', '../../../cli/src/main.js'],
  ['plugins/images/src/store.ts', '@a3s-box/core/host'],
  ['plugins/images/src/store.ts', '@a3s-box/core/client', true],
  ['plugins/images/src/store.ts', '../../../core/src/kernel/container.js'],
  ['plugins/images/src/store.ts', '@a3s-box/compose'],
  ['plugins/images/src/store.ts', '../../compose/src/index.js'],
  ['plugins/images/src/store.ts', '@a3s-box/qemu', true],
  ['plugins/images/src/store.ts', 'a3s-box'],
  ['plugins/images/src/store.ts', 'tsyringe'],
  ['backends/qemu/src/vm.ts', '@a3s-box/images'],
  ['native/src/index.ts', '@a3s-box/core'],
  ['plugins/erofs/src/index.ts', '@a3s-box/images'],
  ['cli/src/main.ts', '@a3s-box/images'],
  ['cli/src/main.ts', '@a3s-box/qemu', true],
  ['cli/src/main.ts', '../../plugins/images/src/index.js'],
  ['cli/src/main.ts', 'tsyringe'],
  ['test/contract/network/src/index.ts', '@a3s-box/images'],
];

describe('the layers', () => {
  for (const [file, specifier, typeOnly] of allowed) {
    it(`let ${file} import ${typeOnly ? 'types of ' : ''}${specifier}`, () => {
      assert.equal(problem(file, specifier, typeOnly), undefined);
    });
  }

  for (const [file, specifier, typeOnly] of refused) {
    it(`do not let ${file} import ${typeOnly ? 'types of ' : ''}${specifier}`, () => {
      assert.match(problem(file, specifier, typeOnly) ?? '', /may not import '.*'\. It may import .*\.$/);
    });
  }

  it('say what is allowed instead', () => {
    assert.equal(
      problem('plugins/images/src/store.ts', '@a3s-box/compose'),
      "a plugin (@a3s-box/images) may not import '@a3s-box/compose'. It may import its own files, @a3s-box/core " +
        '(this entry alone), library packages (those without an a3sBox manifest), and packages from the registry but ' +
        'no tsyringe.',
    );
  });

  it('keep the names of backends in backends/', () => {
    assert.equal(backendNamed('core/src/vm/vm-manager.ts', 'qemu', workspace), 'qemu');
    assert.equal(backendNamed('cli/src/main.ts', '@a3s-box/qemu', workspace), '@a3s-box/qemu');
    assert.equal(backendNamed('backends/qemu/src/plugin.ts', 'qemu', workspace), undefined);
    assert.equal(backendNamed('core/test/x.test.ts', 'qemu', workspace), undefined);
    assert.equal(backendNamed('core/src/vm/vm-manager.ts', 'a qemu', workspace), undefined);
  });
});
