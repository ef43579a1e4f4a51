import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'cli/package.json'), 'utf8')) as { version: string };

describe('the a3s-box command', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'g'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  function run(program: string, args: readonly string[], cwd: string): string {
    const env = { ...process.env, npm_config_cache: join(directory, 'cache'), npm_config_update_notifier: 'false' };
    return execFileSync(program, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  it('is found by npx in the root of the checkout', () => {
    assert.match(run('npx', ['a3s-box', '--version'], root), new RegExp(`\\b${version}\\b`));
  });

  it('works after a global install of the checkout, from anywhere', () => {
    const prefix = join(directory, 'prefix');
    run('npm', ['install', '--global', '--offline', '--prefix', prefix, join(root, 'cli')], directory);
    assert.match(run(join(prefix, 'bin/a3s-box'), ['--version'], directory), new RegExp(`\\b${version}\\b`));
  });
});
