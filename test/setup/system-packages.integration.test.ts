import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

describe('system packages', () => {
  let other: string;

  beforeEach(() => {
    other = mkdtempSync(join(tmpdir(), 's'));
    mkdirSync(join(other, 'scripts/setup'), { recursive: true });
  });
  afterEach(() => rmSync(other, { recursive: true }));

  /** What a shell function of system-packages.sh prints and ends with, for a root of its own. */
  function shell(command: string): string {
    const script = `root=${other}; . ${root}/scripts/setup/system-packages.sh; ${command}`;
    return execFileSync('sh', ['-euc', script], { encoding: 'utf8' });
  }

  function list(lines: string): void {
    writeFileSync(join(other, 'scripts/setup/packages.txt'), lines);
  }

  it('that are missing are printed with their reason, those of other groups not', () => {
    list(`# comment

run   shell    command:sh                 is there
run   absent   command:no-such-command    one reason
run   nofile   file:/no/such/file         two reasons
test  later    command:no-such-command    only for tests
`);
    assert.equal(shell('missing_packages run'), 'absent\tone reason\nnofile\ttwo reasons\n');
    assert.match(shell('missing_packages run test'), /later\tonly for tests\n$/);
  });

  it('of Rust are missing when the crate needs a newer one', () => {
    const rust = (version: string): string => {
      writeFileSync(join(other, 'Cargo.toml'), `[package]\nrust-version = "${version}"\n`);
      return shell('has_rust Cargo.toml && echo yes || echo no').trim();
    };
    assert.equal(rust('1.0'), 'yes');
    assert.equal(rust('99.0'), 'no');
  });

  it('compare versions by number', () => {
    assert.equal(shell('[ "$(version_number 1.100.1)" -gt "$(version_number 1.85)" ] && echo more'), 'more\n');
  });

  it('of the real list have a known group, a known check and a reason', () => {
    const lines = readFileSync(join(root, 'scripts/setup/packages.txt'), 'utf8').split('\n');
    const entries = lines.filter((line) => line !== '' && !line.startsWith('#'));
    assert.ok(entries.length > 5);
    for (const entry of entries) {
      assert.match(entry, /^(run|test)\s+[a-z0-9.+-]+\s+(command|file|package|rust):\S+\s+\S.{10,}$/);
    }
  });
});
