import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rejection } from './cli-surface.ts';
import { deadLinks } from './dead-links.ts';
import { parsePage } from './markdown.ts';
import { commandsIn, shownCommands } from './shown-commands.ts';

describe('the link check', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'd'));
    mkdirSync(join(root, 'docs'));
    writeFileSync(join(root, 'docs/a.md'), '# Title\n## Two `words`, here\n');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const dead = (text: string): string[] => deadLinks(root, parsePage('docs/b.md', text));

  it('accepts files, headings and addresses', () => {
    writeFileSync(join(root, 'docs/b.md'), '# B\n');
    assert.deepEqual(dead('[a](a.md) [b](a.md#two-words-here) [c](#b) [d](../docs) [e](https://example.org)'), []);
  });

  it('finds a missing file, a missing heading and a way out', () => {
    const found = dead('text\n[a](gone.md) [b](a.md#three) [c](../../etc)\n[d]: ../gone.txt');
    assert.equal(found.length, 4);
    assert.match(found[0] ?? '', /^docs\/b\.md:2: gone\.md: no such file/);
  });

  it('does not look into code', () => {
    assert.deepEqual(dead('```\n[a](gone.md)\n```\n`[b](gone.md)`'), []);
  });
});

describe('the command check', () => {
  it('finds commands behind prompts, variables, pipes and in substitutions', () => {
    assert.deepEqual(commandsIn('$ A=1 npx a3s-box run -i IMG cat | wc -c; ./x/a3s-box info'), [
      ['run', '-i', 'IMG', 'cat'],
      ['info'],
    ]);
    assert.deepEqual(commandsIn('id=$(a3s-box images)'), [['images']]);
    assert.deepEqual(commandsIn(`echo hi | a3s-box run a3s/starter sh -c 'uname -r; exit 7' >out # note`), [
      ['run', 'a3s/starter', 'sh', '-c', 'uname -r; exit 7'],
    ]);
    assert.deepEqual(commandsIn('cd a3s-box && ls a3s-box'), []);
  });

  it('joins continued lines and knows where they are', () => {
    const page = parsePage('a.md', 'text\n\n```sh\na3s-box run \\\n  --rm IMG\n```\nand `a3s-box info`');
    assert.deepEqual(shownCommands(page), [
      { argv: ['run', '--rm', 'IMG'], line: 5 },
      { argv: ['info'], line: 7 },
    ]);
  });

  it('finds them in indented code, and does not take a list for it', () => {
    assert.deepEqual(shownCommands(parsePage('a.md', 'text\n\n    a3s-box info\n- list\n    a3s-box images')), [
      { argv: ['info'], line: 3 },
    ]);
  });

  it('leaves blocks of other languages alone', () => {
    assert.deepEqual(shownCommands(parsePage('a.md', '```text\na3s-box nonsense\n```')), []);
  });

  it('accepts what the CLI accepts', () => {
    for (const line of [
      'run --rm -it a3s/starter ls --color',
      'run [OPTIONS] IMAGE',
      'info --json',
      '--version',
      'run',
    ]) {
      assert.equal(rejection(line.split(' ')), undefined, line);
    }
  });

  it('rejects unknown commands, flags, refused flags and wrong numbers of arguments', () => {
    assert.match(rejection(['frobnicate']) ?? '', /no command frobnicate/);
    assert.match(rejection(['run', '--no-such-flag', 'IMG']) ?? '', /unknown flag/);
    assert.match(rejection(['run', '--gpus=all', 'IMG']) ?? '', /not supported/);
    assert.match(rejection(['run', '--rm']) ?? '', /needs IMAGE/);
    assert.match(rejection(['info', 'everything']) ?? '', /takes no everything/);
  });
});
