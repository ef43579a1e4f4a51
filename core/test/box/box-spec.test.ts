import assert from 'node:assert/strict';
import { checkBoxSpec, sizingOf, type BoxSpec } from '../../dist/box/box-spec.js';

const spec = (change: Partial<BoxSpec>): BoxSpec => ({
  image: 'a3s/starter',
  environment: [],
  terminal: false,
  stdinOpen: false,
  autoRemove: false,
  labels: {},
  ...change,
});

describe('checkBoxSpec', () => {
  it('takes what Docker takes', () => {
    for (const change of [
      { name: 'a_b.c-9' },
      { hostname: 'web-1.example' },
      { workingDirectory: '/a b' },
      { environment: ['A=', 'B=c=d', 'x.y=1', 'TAKEN_AWAY'] },
    ]) {
      checkBoxSpec(spec(change));
    }
  });

  it('refuses by name what cannot be', () => {
    const wrong: [Partial<BoxSpec>, RegExp][] = [
      [{ name: '-x' }, /box name "-x"/],
      [{ name: 'a' }, /box name "a"/],
      [{ name: '../x' }, /box name/],
      [{ hostname: '-a' }, /host name "-a"/],
      [{ hostname: 'a'.repeat(65) }, /host name/],
      [{ workingDirectory: 'relative' }, /working directory "relative"/],
      [{ environment: ['=x'] }, /environment variable "=x"/],
      [{ environment: [''] }, /environment variable ""/],
      [{ command: ['a\0b'] }, /zero byte/],
      [{ terminalSize: { columns: -1, rows: 24 } }, /terminal size/],
    ];
    for (const [change, message] of wrong) {
      assert.throws(() => checkBoxSpec(spec(change)), { code: 'INVALID_ARGUMENT', message });
    }
  });
});

describe('sizingOf', () => {
  it('rounds CPUs and memory up to what a machine can have', () => {
    assert.deepEqual(sizingOf(spec({ nanoCpus: 1.5e9, memoryBytes: 100_000_001 })), {
      vcpus: 2,
      memoryBytes: 96 * 1024 * 1024,
    });
  });
});
