import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENTITLEMENT, hvfSystem, signatureObstacle, stableLibrary } from '../dist/index.js';
import { mac } from './recorded-hvf.ts';

const packageRoot = join(import.meta.dirname, '..');

describe('what keeps libkrun-hvf from running guests', () => {
  const obstacle = (changes: Partial<ReturnType<typeof mac>>): string | undefined =>
    hvfSystem('/nowhere', undefined, { ...mac(), ...changes }).obstacle();

  it('is nothing on a Mac with all that it needs', () => assert.equal(obstacle({}), undefined));

  it('is another system', () => {
    for (const platform of ['linux-arm64', 'darwin-x64'])
      assert.match(obstacle({ platform }) ?? '', /Apple silicon only/);
  });

  it('is root', () => assert.match(obstacle({ userId: 0 }) ?? '', /ordinary user/));

  it('is a Mac without Hypervisor.framework', () => {
    assert.match(obstacle({ virtualisation: () => ({ kind: 'switched-off' }) }) ?? '', /no Hypervisor\.framework/);
  });

  it('is a launcher that is not there, not signed, or signed without the entitlement', () => {
    const notSigned = (): never => {
      throw new Error('code object is not signed at all');
    };
    assert.match(obstacle({ launcher: () => undefined }) ?? '', /not built/);
    assert.match(obstacle({ readEntitlements: notSigned }) ?? '', /is not signed .*sign-launcher/);
    for (const entitlements of ['', '<dict/>', `<key>${ENTITLEMENT}</key><false/>`]) {
      assert.match(obstacle({ readEntitlements: () => entitlements }) ?? '', /without the entitlement/);
    }
  });

  it('is no libkrun, with where it was looked for and what installs it', () => {
    const missing = { ...mac(), probeLibkrun: () => ({ kind: 'missing', searched: ['/opt/homebrew/lib'] }) as const };
    const found = hvfSystem('/nowhere', undefined, missing).findLibkrun();
    assert.ok('obstacle' in found);
    assert.match(found.obstacle, /looked in \/opt\/homebrew\/lib \(brew /);
  });
});

describe('the signature of the launcher', () => {
  it('grants what entitlements.plist asks for', () => {
    const text = readFileSync(join(packageRoot, 'entitlements.plist'), 'utf8');
    assert.equal(
      signatureObstacle('/launcher', () => text),
      undefined,
    );
  });
});

describe('the stable path of libkrun', () => {
  let root: string;
  let from: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'lib-'));
    from = join(root, 'node_modules/runner/lib');
    mkdirSync(from, { recursive: true });
    for (const name of ['libkrun.1.dylib', 'libkrunfw.5.dylib', 'README']) writeFileSync(join(from, name), name);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const settle = (source: 'package' | 'homebrew' | 'system' | 'given'): Promise<string> =>
    stableLibrary(
      { path: join(from, 'libkrun.1.dylib'), source, net: true, readOnlyShares: false },
      join(root, 'kept'),
    );

  it('is its own where it has one', async () => {
    for (const source of ['homebrew', 'system', 'given'] as const) {
      assert.equal(await settle(source), join(from, 'libkrun.1.dylib'));
    }
    assert.equal(existsSync(join(root, 'kept')), false);
  });

  it('is that of one copy, with the libraries beside it, for what lies in node_modules', async () => {
    const [first, second] = await Promise.all([settle('package'), settle('package')]);
    assert.equal(first, second);
    assert.equal(await settle('package'), first);
    assert.equal(readFileSync(first, 'utf8'), 'libkrun.1.dylib');
    const kept = readdirSync(join(root, 'kept'));
    assert.equal(kept.length, 1);
    assert.deepEqual(readdirSync(join(root, 'kept', kept[0] ?? '')).sort(), ['libkrun.1.dylib', 'libkrunfw.5.dylib']);
  });

  it('is another one for another library', async () => {
    const first = await settle('package');
    utimesSync(join(from, 'libkrunfw.5.dylib'), 1, 1);
    assert.notEqual(await settle('package'), first);
  });
});
