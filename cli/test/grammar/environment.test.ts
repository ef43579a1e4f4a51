import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { environmentOf, parseEnvFile, parseVariable } from '../../dist/grammar/environment.js';

const caller = { HOME: '/home/me', EMPTY: '' };
const parse = (text: string) => parseEnvFile(Buffer.from(text), 'file', caller);

describe('env files', () => {
  const files: [string, string, string[]][] = [
    ['one variable a line', 'A=1\nB=2\n', ['A=1', 'B=2']],
    ['a last line without its end', 'A=1', ['A=1']],
    ['line ends of Windows', 'A=1\r\nB=2\r\n', ['A=1', 'B=2']],
    ['comments and empty lines', '# a\n\n   \n  # b\nA=1\n', ['A=1']],
    ['no comment after a value', 'A=1 # no\n', ['A=1 # no']],
    ['quotes as they stand', 'A="x y"\nB=\'z\'\n', ['A="x y"', "B='z'"]],
    ['no expansion', 'A=$HOME\\n\n', ['A=$HOME\\n']],
    ['blanks before the name, not after the value', '  A=1  \n', ['A=1  ']],
    ['blanks before the value', 'A= 1\n', ['A= 1']],
    ['values with =', 'A=b=c\n', ['A=b=c']],
    ['empty values', 'A=\n', ['A=']],
    ["the caller's value for a bare name", 'HOME\nEMPTY\n', ['HOME=/home/me', 'EMPTY=']],
    ['nothing for a bare name that the caller has not', 'NOT_THERE\n', []],
    ['a byte order mark', '\ufeffA=1\n', ['A=1']],
    ['an empty file', '', []],
    ['the same name twice', 'A=1\nA=2\n', ['A=1', 'A=2']],
    ['other scripts', 'Ä=ö\n', ['Ä=ö']],
  ];
  for (const [title, text, variables] of files) it(`know ${title}`, () => assert.deepEqual(parse(text), variables));

  it('refuse a line without a name, with its number', () => {
    assert.throws(() => parse('A=1\n=x\n'), { code: 'INVALID_ARGUMENT', message: /file, line 2: no variable name/ });
  });

  it('refuse blanks in a name', () => {
    assert.throws(() => parse('A B=1\n'), { message: /variable 'A B' contains whitespaces/ });
    assert.throws(() => parse('A =1\n'), { message: /variable 'A ' contains whitespaces/ });
    assert.throws(() => parse('export A=1\n'), { message: /contains whitespaces/ });
  });

  it('refuse what is not UTF-8', () => {
    assert.throws(() => parseEnvFile(Buffer.from([0x41, 0x3d, 0xff, 0x0a]), 'file', {}), {
      message: /line 1: invalid utf8/,
    });
  });

  it('end in a result or a BoxError, whatever is in them', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          for (const variable of parseEnvFile(bytes, 'file', caller)) assert.match(variable, /^[^= \t]+=/);
        } catch (error) {
          assert.equal((error as { code: string }).code, 'INVALID_ARGUMENT');
        }
      }),
    );
  });
});

describe('the environment of a workload', () => {
  let directory: string;
  before(() => (directory = mkdtempSync(join(tmpdir(), 'a3s-env-'))));
  after(() => rmSync(directory, { recursive: true }));

  it('has files first, in their order, then -e', () => {
    writeFileSync(join(directory, 'a'), 'A=file\n');
    writeFileSync(join(directory, 'b'), 'B=file\n');
    const files = [join(directory, 'b'), join(directory, 'a')];
    assert.deepEqual(environmentOf(files, ['A=flag'], {}), ['B=file', 'A=file', 'A=flag']);
  });

  it("takes the caller's value for -e NAME, and keeps the bare name where there is none", () => {
    assert.deepEqual(environmentOf([], ['HOME', 'EMPTY', 'GONE'], caller), ['HOME=/home/me', 'EMPTY=', 'GONE']);
  });

  it('refuses a file that is not there', () => {
    assert.throws(() => environmentOf([join(directory, 'none')], [], {}), { message: /cannot be read: ENOENT/ });
  });

  it('needs a name', () => {
    assert.equal(parseVariable('A'), 'A');
    assert.throws(() => parseVariable('=1'), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => parseVariable(''), { code: 'INVALID_ARGUMENT' });
  });
});
