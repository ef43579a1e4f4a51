import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dependencyDifference } from '../../scripts/setup/dependencies.ts';

describe('installed dependencies', () => {
  let root: string;
  const yes = { version: '1.0.0', integrity: 'sha512-yes' };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 's'));
    mkdirSync(join(root, 'node_modules/yes'), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function matches(locked: object, installed: object): boolean {
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: { '': {}, core: {}, ...locked } }));
    writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: installed }));
    return dependencyDifference(root) === undefined;
  }

  it('match when each package is there in its version', () => {
    assert.equal(matches({ 'node_modules/yes': yes }, { 'node_modules/yes': yes }), true);
  });

  it('match without an optional package for another system', () => {
    const mac = { version: '1.0.0', optional: true };
    assert.equal(matches({ 'node_modules/yes': yes, 'node_modules/mac': mac }, { 'node_modules/yes': yes }), true);
  });

  it('differ when a package, its folder, its version or its integrity is not the same', () => {
    assert.equal(matches({ 'node_modules/yes': yes }, {}), false);
    assert.equal(matches({ 'node_modules/gone': yes }, { 'node_modules/gone': yes }), false);
    assert.equal(matches({ 'node_modules/yes': yes }, { 'node_modules/yes': { ...yes, version: '1.0.1' } }), false);
    assert.equal(matches({ 'node_modules/yes': yes }, { 'node_modules/yes': { ...yes, integrity: 'no' } }), false);
  });

  it('differ when a package too many is there', () => {
    assert.equal(matches({}, { 'node_modules/yes': yes }), false);
  });

  it('differ when a command of a workspace is not linked', () => {
    const link = { resolved: 'cli', link: true };
    mkdirSync(join(root, 'cli'));
    mkdirSync(join(root, 'node_modules/.bin'));
    mkdirSync(join(root, 'node_modules/tool'));
    writeFileSync(join(root, 'cli/package.json'), '{"bin": {"tool": "bin/tool"}}');
    assert.equal(matches({ 'node_modules/tool': link }, { 'node_modules/tool': link }), false);
    writeFileSync(join(root, 'node_modules/.bin/tool'), '');
    assert.equal(matches({ 'node_modules/tool': link }, { 'node_modules/tool': link }), true);
  });

  it('differ when nothing was installed', () => {
    assert.equal(dependencyDifference(root) === undefined, false);
  });
});
