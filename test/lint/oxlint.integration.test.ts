import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const repository = join(import.meta.dirname, '../..');

/** Codes and messages that this repository's configuration gives for files in a workspace like this one. */
function lint(files: Readonly<Record<string, string>>): readonly string[] {
  const root = mkdtempSync(join(tmpdir(), 'a3s-lint-'));
  try {
    const manifest = { apiVersion: 1, plugin: './x.js', provides: [] };
    const all = {
      'package.json': JSON.stringify({ workspaces: ['core', 'cli', 'plugins/*', 'backends/*'], type: 'module' }),
      'tsconfig.json': readFileSync(join(repository, 'tsconfig.base.json'), 'utf8'),
      'core/package.json': JSON.stringify({ name: '@a3s-box/core' }),
      'cli/package.json': JSON.stringify({ name: 'a3s-box' }),
      'plugins/images/package.json': JSON.stringify({ name: '@a3s-box/images', a3sBox: manifest }),
      'backends/qemu/package.json': JSON.stringify({ name: '@a3s-box/qemu', a3sBox: manifest }),
      ...files,
    };
    for (const [file, text] of Object.entries(all)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    for (const part of ['.oxlintrc.json', 'tools/lint'])
      cpSync(join(repository, part), join(root, part), { recursive: true });
    symlinkSync(join(repository, 'node_modules'), join(root, 'node_modules'));
    return oxlint(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function oxlint(root: string): readonly string[] {
  const tool = join(repository, 'node_modules/.bin/oxlint');
  const { status, stdout, stderr } = spawnSync(process.execPath, [tool, '-f', 'json'], { cwd: root, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; message: string; filename: string }[] };
  assert.equal(status === 0, diagnostics.length === 0, stderr);
  return diagnostics.map(({ code, message, filename }) => `${filename} ${code}: ${message}`).toSorted();
}

describe('the rules', () => {
  it('pass what keeps to them', () => {
    assert.deepEqual(
      lint({
        'core/src/index.ts': "export const answer: number = Number('42');\n",
        'plugins/images/src/store.ts': "import { answer } from '@a3s-box/core';\nexport const twice = answer * 2;\n",
        'cli/src/main.ts': "console.log(process.env['HOME']);\n",
      }),
      [],
    );
  });

  for (const [kind, code] of [
    ['static', "import { Host } from '@a3s-box/core/host';\nexport const x = Host;\n"],
    ['type', "import type { Host } from '@a3s-box/core/host';\nexport type X = Host;\n"],
    ['inline type', "export type X = import('@a3s-box/core/host').Host;\n"],
    ['dynamic', "export const x = async () => await import('@a3s-box/core/host');\n"],
    ['re-export', "export { Host } from '@a3s-box/core/host';\n"],
    ['star', "export * from '@a3s-box/core/host';\n"],
  ] as const) {
    it(`find a wrong import (${kind})`, () => {
      const found = lint({ 'plugins/images/src/store.ts': code });
      assert.equal(found.length, 1);
      assert.match(
        found[0] ?? '',
        /^plugins\/images\/src\/store\.ts a3s-box\(layers\): a plugin \(@a3s-box\/images\) may not import '@a3s-box\/core\/host'\. It may import its own files, @a3s-box\/core/,
      );
    });
  }

  it('find each of the other breaches', () => {
    const found = lint({
      'core/src/a.ts': "import { b } from './b.js';\nexport const a = (): number => b();\n",
      'core/src/b.ts': "import { a } from './a.js';\nexport const b = (): number => a();\n",
      'core/src/backend.ts': "export const backend = 'qemu';\n",
      'core/src/console.ts': "console.log('x');\n",
      'core/src/environment.ts': "export const home = process.env['HOME'];\n",
      'core/src/error.ts': "export function f(): never {\n  throw new Error('x');\n}\n",
      'core/src/exit.ts': 'export const f = (): never => process.exit(1);\n',
      'core/src/floating.ts': 'async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}\n',
      'core/src/listener.ts': "export const f = (): void => void process.on('exit', () => undefined);\n",
      'core/src/long-file.ts': `export const x = 1;\n${'// line\n'.repeat(400)}`,
      'core/src/long-function.ts': `export function f(): number {\n${'  Number(1);\n'.repeat(60)}  return 1;\n}\n`,
      'core/src/misused.ts': 'export const x = [1].filter(async () => true);\n',
      'core/src/parameters.ts': 'export function g(a: 1, b: 1, c: 1, d: 1, e: 1) {\n  return [a, b, c, d, e];\n}\n',
      'core/src/untyped.ts': 'export const x: any = 1;\n',
      'core/src/Wrong_name.ts': 'export const x = 1;\n',
    });
    const rules = found.map((line) => /^core\/src\/(\S+) (\S+\))/.exec(line)?.slice(1, 3).join(' '));
    assert.deepEqual(
      new Set(rules),
      new Set([
        'Wrong_name.ts unicorn(filename-case)',
        'a.ts import(no-cycle)',
        'b.ts import(no-cycle)',
        'backend.ts a3s-box(layers)',
        'console.ts eslint(no-console)',
        'environment.ts eslint(no-restricted-properties)',
        'error.ts a3s-box(no-plain-error)',
        'exit.ts eslint(no-restricted-properties)',
        'floating.ts typescript(no-floating-promises)',
        'listener.ts eslint(no-restricted-properties)',
        'long-file.ts eslint(max-lines)',
        'long-function.ts eslint(max-lines-per-function)',
        'misused.ts typescript(no-misused-promises)',
        'parameters.ts a3s-box(max-parameters)',
        'untyped.ts typescript(no-explicit-any)',
      ]),
    );
  });
});
