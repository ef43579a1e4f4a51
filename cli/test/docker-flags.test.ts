import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DOCKER_FLAGS, FLAG_PAGE_FILE, flagPage, verdict } from '../scripts/flag-page.ts';
import { COMMANDS } from '../dist/commands.js';
import { parseFlags } from '../dist/grammar/parse-flags.js';

for (const command of ['run', 'create'] as const) {
  describe(`flags of docker ${command} 28.2`, () => {
    const grammar = COMMANDS.find(({ name }) => name === command)!;

    it('are many', () => assert.ok(DOCKER_FLAGS[command].length > 90));

    for (const name of DOCKER_FLAGS[command]) {
      it(`--${name} is supported, or refused by name with a reason and a hint`, () => {
        const found = verdict(command, name);
        assert.ok(found, 'it is neither');
        if ('flag' in found) return;
        assert.match(found.reason, /\w{3}/);
        assert.throws(() => parseFlags(grammar, [`--${name}=x`, 'IMG']), {
          code: 'UNSUPPORTED',
          message: new RegExp(`--${name} is not supported: .{10}`),
          hint: /--help/,
        });
      });
    }
  });
}

describe('docs/flags.md', () => {
  it('says what the definitions say', async function () {
    this.timeout(20_000);
    const page = await flagPage();
    assert.ok(!page.includes('| ?'), 'a flag is neither supported nor refused');
    assert.equal(page, readFileSync(FLAG_PAGE_FILE, 'utf8'), 'the page is stale: npm run reference -w cli');
  });
});
