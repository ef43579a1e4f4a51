/**
 * Every flag of the command line has a test that runs the real command and observes what the flag does. Such a test says
 * so in its title: `it('lets the guest write nothing to its root [run --read-only]', ...)`.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMANDS } from '../dist/commands.js';
import type { Flag } from '../dist/grammar/flag.js';

const root = join(import.meta.dirname, '../..');
/** Tests that run cli/bin/a3s-box. */
const TESTS = ['test/e2e/**/*.test.ts', 'cli/test/**/*.integration.test.ts'];
/** A title of a test, up to its end. */
const TITLE = /\bit\(\s*(['"`])((?:(?!\1)[^\\]|\\.)*)\1/g;
/** Commands and their flags in brackets. */
const TAGS = /\[([a-z][a-z -]*(?:, [a-z][a-z -]*)*)\]/g;

/** By tag, the files that have it. */
function tagsOf(files: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of files) {
    for (const [, , title = ''] of readFileSync(join(root, file), 'utf8').matchAll(TITLE)) {
      const tags = [...title.matchAll(TAGS)]
        .flatMap(([, list = '']) => list.split(', '))
        .filter((tag) => tag.includes(' --'));
      for (const tag of tags) found.set(tag, [...(found.get(tag) ?? []), file]);
    }
  }
  return found;
}

describe('flags and their end-to-end tests', () => {
  const tags = tagsOf(TESTS.flatMap((pattern) => globSync(pattern, { cwd: root })));
  const run = COMMANDS.find(({ name }) => name === 'run')!;

  /** `create` takes the very definitions of `run`, with what they become; one test for all is enough there. */
  const isRuns = (command: string, name: string, flag: Flag): boolean =>
    command === 'create' && run.flags[name] === flag;

  for (const { name: command, flags } of COMMANDS) {
    for (const [name, flag] of Object.entries(flags)) {
      if (isRuns(command, name, flag)) continue;
      const tag = `${command} --${name}`;
      it(`${tag} has one`, () => assert.ok(tags.has(tag), `no title in ${TESTS.join(' or ')} ends in [${tag}]`));
    }
  }

  it('are tests of flags that there are', () => {
    const known = new Set(COMMANDS.flatMap(({ name, flags }) => Object.keys(flags).map((flag) => `${name} --${flag}`)));
    for (const [tag, files] of tags) assert.ok(known.has(tag), `[${tag}] in ${files.join()}`);
  });
});
