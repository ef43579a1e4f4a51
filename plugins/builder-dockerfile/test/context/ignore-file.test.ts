import assert from 'node:assert/strict';
import { isIgnored, readIgnoreFile, type IgnoreRule } from '../../dist/context/ignore-file.js';
import { pathPattern } from '../../dist/context/path-pattern.js';

/** Which of the paths are left out. */
function ignored(text: string, paths: readonly string[]): string[] {
  const rules = readIgnoreFile(text);
  assert.ok(
    rules.every((rule): rule is IgnoreRule => 'test' in rule),
    JSON.stringify(rules),
  );
  return paths.filter((path) => isIgnored(rules, path));
}

describe('a file of what to ignore', () => {
  const cases: readonly (readonly [title: string, text: string, paths: readonly string[], left: readonly string[]])[] =
    [
      ['names from the root', 'a\n/b/\n./c', ['a', 'a/x', 'b/x', 'c', 'd/a', 'ab'], ['a', 'a/x', 'b/x', 'c']],
      ['stars within a directory', '*.md\n*/temp*', ['x.md', 'd/x.md', 'd/temp1', 'd/e/temp'], ['x.md', 'd/temp1']],
      ['one character', 'temp?', ['temp', 'tempa', 'tempab'], ['tempa']],
      ['any depth', '**/x.go', ['x.go', 'a/x.go', 'a/b/x.go', 'ax.go'], ['x.go', 'a/x.go', 'a/b/x.go']],
      ['all below', 'a/**', ['a', 'a/b', 'a/b/c', 'b'], ['a/b', 'a/b/c']],
      ['depth in the middle', 'a/**/z', ['a/z', 'a/b/c/z', 'z'], ['a/z', 'a/b/c/z']],
      ['depth next to other letters', 'a**b', ['ab', 'axb', 'ax/b', 'ax/yb'], ['ab', 'ax/b']],
      ['classes', '[a-c]x\n[^a-y]q\n[\\]]', ['ax', 'dx', 'zq', 'aq', ']'], ['ax', 'zq', ']']],
      ['escapes', '\\*\n\\!b', ['*', 'a', '!b', 'b'], ['*', '!b']],
      ['what is taken back', '*\n!a\n!d/keep', ['a', 'b', 'd/keep', 'd/x'], ['b', 'd/x']],
      ['the last word', '!a\na', ['a'], ['a']],
      [
        'everything but',
        '*.md\n!README*.md\nREADME-secret.md',
        ['x.md', 'README.md', 'README-secret.md'],
        ['x.md', 'README-secret.md'],
      ],
      ['comments, blanks and DOS ends', '\ufeffa\r\n# b\n\n  c  \n #d', ['a', 'b', 'c', '#d'], ['a', 'c', '#d']],
      ['signs of expressions', 'a.b(c)+{d}$|e', ['a.b(c)+{d}$|e', 'axb(c)+{d}$|e'], ['a.b(c)+{d}$|e']],
      ['upwards and around', 'a/../b\nc//d', ['b', 'a', 'c/d'], ['b', 'c/d']],
    ];
  for (const [title, text, paths, left] of cases) {
    it(`heeds ${title}`, () => assert.deepEqual(ignored(text, paths), left));
  }

  it('is told what is wrong with it', () => {
    assert.deepEqual(readIgnoreFile('a\n  [b\n!\n[]\nc\\'), [
      { line: 2, column: 3, message: '"[" is not closed' },
      { line: 3, column: 1, message: '"!" is not followed by a pattern' },
      { line: 4, column: 1, message: '"[]" is empty' },
      { line: 5, column: 1, message: 'a backslash at the end escapes nothing' },
    ]);
  });

  it('takes time in proportion to its length', () => {
    const test = pathPattern(`${'**/*a'.repeat(100)}z`, { trees: true });
    assert.equal(test('a/'.repeat(2000)), false);
  });
});
