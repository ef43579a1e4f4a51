import assert from 'node:assert/strict';
import { readTemplate, WordFault } from '../../dist/dockerfile/read-template.js';
import { DemandedVariable, expand, variablesOf } from '../../dist/dockerfile/template.js';

const VALUES: Readonly<Record<string, string>> = {
  NAME: 'value',
  EMPTY: '',
  PATH: '/usr/local/bin:/usr/bin',
  FILE: 'archive.tar.gz',
  BLANKS: 'a b',
};

function expanded(word: string, escape = '\\'): string {
  return expand(readTemplate(word, escape), (name) => VALUES[name]);
}

describe('words of instructions', () => {
  const cases: readonly (readonly [word: string, value: string])[] = [
    ['plain', 'plain'],
    ['$NAME', 'value'],
    ['${NAME}x', 'valuex'],
    ['$NAMEx', ''],
    ['$NAME-$NAME', 'value-value'],
    ['\\$NAME', '$NAME'],
    ['\\\\$NAME', '\\value'],
    ["'$NAME'", '$NAME'],
    ['"$NAME"', 'value'],
    ['"\\$NAME"', '$NAME'],
    ['"a\\b"', 'a\\b'],
    ["'a\\b'", 'a\\b'],
    ['a\\ b', 'a b'],
    ['"a b"\'c d\'', 'a bc d'],
    ['$', '$'],
    ['$.', '$.'],
    ['$1$@', ''],
    ['""', ''],
    ['${NAME:-other}', 'value'],
    ['${EMPTY:-other}', 'other'],
    ['${EMPTY-other}', ''],
    ['${NONE-other}', 'other'],
    ['${NONE:-$NAME}', 'value'],
    ['${NONE:-${EMPTY:-"a b"}}', 'a b'],
    ['${NAME:+other}', 'other'],
    ['${EMPTY:+other}', ''],
    ['${EMPTY+other}', 'other'],
    ['${NONE+other}', ''],
    ['${NAME:?missing}', 'value'],
    ['${PATH#*/}', 'usr/local/bin:/usr/bin'],
    ['${PATH##*/}', 'bin'],
    ['${FILE%.*}', 'archive.tar'],
    ['${FILE%%.*}', 'archive'],
    ['${FILE#nothing}', 'archive.tar.gz'],
    ['${PATH/bin/lib}', '/usr/local/lib:/usr/bin'],
    ['${PATH//bin/lib}', '/usr/local/lib:/usr/lib'],
    ['${FILE/?r*r/$NAME}', 'value.gz'],
    ['${NAME//[a]/x}', 'value'],
    ['${NONE/a/b}', ''],
  ];
  for (const [word, value] of cases) {
    it(`makes ${JSON.stringify(value)} of ${word}`, () => assert.equal(expanded(word), value));
  }

  it('has the escape character that the file chose', () => {
    assert.deepEqual([expanded('`$NAME\\x', '`'), expanded('"`$NAME"', '`')], ['$NAME\\x', '$NAME']);
  });

  it('leaves quotes alone where they are none', () => {
    const template = readTemplate(`it's "$NAME"`, '\\', { quotes: false });
    assert.equal(
      expand(template, (name) => VALUES[name]),
      `it's "value"`,
    );
  });

  it('demands a variable with its message', () => {
    assert.throws(() => expanded('${EMPTY:?give EMPTY}'), new DemandedVariable('EMPTY: give EMPTY'));
    assert.equal(expanded('${EMPTY?give EMPTY}'), '');
    assert.throws(() => expanded('${NONE?}'), /NONE: is not set/);
  });

  it('tells all variables', () => {
    assert.deepEqual(variablesOf(readTemplate('$A${B:-$C}${D/$E/$F}', '\\')), ['A', 'B', 'C', 'D', 'E', 'F']);
  });

  const faulty: readonly (readonly [word: string, message: RegExp, offset: number])[] = [
    ['a"b', /double quote is not closed/, 1],
    ["a'b", /single quote is not closed/, 1],
    ['ab${A', /\$\{ is not closed/, 2],
    ['${A:-b', /\$\{ is not closed/, 0],
    ['${}', /name of a variable/, 0],
    ['${A@b}', /unknown modifier "@"/, 0],
    ['${A:=b}', /unknown modifier ":"/, 0],
    ['${A/b}', /lacks what comes in its place/, 0],
    ['${A:-'.repeat(60), /nested more than 50 deep/, 250],
  ];
  for (const [word, message, offset] of faulty) {
    it(`refuses ${word.slice(0, 20)}`, () => {
      assert.throws(
        () => readTemplate(word, '\\'),
        (error) => error instanceof WordFault && message.test(error.message) && error.offset === offset,
      );
    });
  }

  it('matches a pattern of many stars in time in proportion to its length', () => {
    const pattern = '*a'.repeat(200);
    const value = 'a'.repeat(5000);
    assert.equal(
      expand(readTemplate(`\${V##${pattern}b}`, '\\'), () => value),
      value,
    );
  });
});
